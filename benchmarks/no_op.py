"""What the same server does at best: an ASGI path that answers 202 and does nothing else.

`/read` reads the body first, as every path that takes something must.
"""

import sys
from typing import Any

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

_BODY = b'{"eventId":"0192f3a0-0000-7000-8000-000000000000"}'
_START = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())],
}
_END = {"type": "http.response.body", "body": _BODY}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers every request the same."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    await send(_START)
    await send(_END)


if __name__ == "__main__":
    Server(
        "benchmarks.no_op:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        loop=Loops.auto,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve()
