"""A client of an RSGI application without a server: what granian hands to it and takes from it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from urllib.parse import unquote

import httpx

from ingest_api.requests import Exchange, Scope


class FakeHeaders:
    """Names in lower case; of a repeated one the first, and none that is not ASCII, as granian does."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self._items = items

    def __contains__(self, key: str) -> bool:
        return any(name == key for name, _ in self._items)

    def get(self, key: str, default: str | None = None) -> str | None:
        value = next((value for name, value in self._items if name == key), None)
        return value if value is not None and value.isascii() else default

    def get_all(self, key: str) -> list[str]:
        return [value for name, value in self._items if name == key]

    def items(self) -> list[tuple[str, str]]:
        return self._items


class FakeScope:
    """A request from `client`."""

    proto = "http"

    def __init__(self, request: httpx.Request, client: str) -> None:
        self.method = request.method
        self.path = unquote(request.url.path)
        self.query_string = request.url.query.decode()
        self.headers = FakeHeaders([(name.lower(), value) for name, value in request.headers.multi_items()])
        self.client = client


class FakeExchange:
    """Keeps the answer."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        self.answer: httpx.Response | None = None

    def __call__(self) -> "asyncio.Future[bytes]":
        return asyncio.ensure_future(self._request.aread())

    def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._request.stream, httpx.AsyncByteStream)
        return aiter(self._request.stream)

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        assert self.answer is None, "a request is answered once"
        self.answer = httpx.Response(status, headers=list(headers), content=body)


class RsgiTransport(httpx.AsyncBaseTransport):
    """Lets httpx talk to the application."""

    def __init__(self, app: Callable[[Scope, Exchange], Awaitable[None]], client: str) -> None:
        self._app = app
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = FakeExchange(request)
        await self._app(FakeScope(request, self._client), exchange)
        assert exchange.answer is not None, "the request was not answered"
        return exchange.answer
