"""The server process: granian with one worker."""

import multiprocessing
import os
import signal
import socket
import threading
from functools import partial
from multiprocessing.connection import wait
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from query_api.settings import QuerySettings

LOGGING: dict[str, Any] = {
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
"""Plain sentences on stderr. There is no access log: it would hold the token of the dashboard's link."""

_STOP_SECONDS = 5


def serve(settings: QuerySettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises OSError where the address can't be listened on."""
    _require_free(settings.query_host, settings.query_port)
    # A forked worker would inherit whatever state the locks of this process's threads are in.
    multiprocessing.set_start_method("spawn")
    server = Server(
        "query_api",
        address=settings.query_host,
        port=settings.query_port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=LOGGING,
        workers_kill_timeout=_STOP_SECONDS,
    )
    server.serve(target_loader=partial(_load, settings), wrap_loader=False)


def _load(settings: QuerySettings) -> Any:
    # Only the worker needs it: the process that watches over the worker stays small.
    from query_api.app import create_app

    threading.Thread(target=_end_with_the_server, daemon=True).start()
    return create_app(settings)


def _end_with_the_server() -> None:
    """Where the server that started this worker was killed, nobody would ever stop it, and it would keep its port."""
    server = multiprocessing.parent_process()
    if server is not None:
        wait([server.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _require_free(host: str, port: int) -> None:
    """The workers share their port, and would share it with another query API too."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
