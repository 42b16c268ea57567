"""FastAPI behind RSGI: what is rare need not be fast."""

import asyncio
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI

from ingest_api.requests import Exchange, Scope


class FastApiBridge:
    """Hands requests without a body on to a FastAPI application, and its whole answers back."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, exchange: Exchange) -> None:
        status = 500
        headers: list[tuple[str, str]] = []
        body = bytearray()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                # The client stays until it is answered.
                await asyncio.get_running_loop().create_future()
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.extend((name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"])
            else:
                body.extend(message.get("body", b""))

        await self._app(_asgi_scope(scope), receive, send)
        exchange.response_bytes(status, headers, bytes(body))


def _asgi_scope(scope: Scope) -> dict[str, Any]:
    path = scope.path
    client, _, port = scope.client.rpartition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": scope.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": scope.query_string.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in scope.headers.items()
        ],
        "client": (client, int(port) if port.isdigit() else 0),
        "server": None,
    }
