"""What is read of a request, within bounds. Requests come by RSGI, granian's own interface."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol
from urllib.parse import parse_qs

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # made public there, though not by a stub

from ingest_api.client_address import Network, client_address
from ingest_api.compressed_body import unpacked
from ingest_api.do_not_track import asks_not_to_be_tracked
from ingest_api.errors import NotDurable, RequestRefused
from ingest_api.validation import Sender, event_ids_of


class Headers(Protocol):
    """Names in lower case. A value with other bytes than ASCII can't be got."""

    def __contains__(self, key: str) -> bool: ...

    def get(self, key: str, default: str | None = None) -> str | None: ...

    def get_all(self, key: str) -> list[str]: ...

    def items(self) -> list[tuple[str, str]]: ...


class Scope(Protocol):
    """A request but for its body. `client` is address:port."""

    @property
    def proto(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def client(self) -> str: ...


class Exchange(Protocol):
    """The body of a request, whole or in chunks, and the way to answer it."""

    def __call__(self) -> "asyncio.Future[bytes]": ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None: ...


NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})

# text/plain: beacons, that so need no preflight; form-urlencoded: what curl -d says of any body.
_JSON_TYPES = frozenset({"", "application/json", "text/plain", "application/x-www-form-urlencoded"})


_SMALL_BYTES = 64 * 1024
_MOST_LARGE_BODIES = 16
"""So many of the largest bodies may arrive at once, or more that are smaller; small ones always. Else each connection
could hold one, and all of them together more than there is memory."""


class ClientGone(Exception):
    """The client went away before its request was whole: nobody waits for an answer."""


def content_type(headers: Headers) -> str:
    """The media type. Raises RequestRefused where it is not a kind of JSON."""
    media_type = headers.get("content-type") or ""
    if media_type not in _JSON_TYPES:
        media_type = media_type.partition(";")[0].strip().lower()
        if media_type not in _JSON_TYPES and media_type not in NDJSON_TYPES:
            raise RequestRefused(415, "unsupported_type", "Send JSON as application/json or text/plain.")
    return media_type


def now_micros() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


class RequestReader:
    """Reads bodies of at most `max_bytes`, and only as long as they arrive within `seconds`.

    `now` answers microseconds since 1970 UTC.
    """

    def __init__(
        self,
        max_bytes: int,
        seconds: float,
        trusted_proxies: Sequence[Network] = (),
        now: Callable[[], int] = now_micros,
    ) -> None:
        self._trusted_proxies = trusted_proxies
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._now = now
        # In the order of their deadlines, as all have the same time.
        self._large_bytes = 0
        self._arriving: dict[asyncio.Future[bytes], float] = {}

    def sender(self, scope: Scope) -> Sender:
        """Who sent the request. Raises RequestRefused for an Authorization that is no key."""
        said = scope.headers.get
        forwarded_for = scope.headers.get_all("x-forwarded-for") if self._trusted_proxies else ()
        request = said("idempotency-key")
        return Sender(
            client_address(scope.client, forwarded_for, self._trusted_proxies),
            said("user-agent"),
            _said(scope.headers, "origin"),
            key_of(scope),
            self._now(),
            asks_not_to_be_tracked(said("dnt"), said("sec-gpc")),
            event_ids_of(request) if request else None,
        )

    async def body(self, headers: Headers, exchange: Exchange) -> bytes:
        """The whole body, unpacked.

        Raises RequestRefused as soon as it is too large or where it takes too long, NotDurable where too many large
        ones arrive already, ClientGone where its end never comes.
        """
        body = await self._read(headers, exchange)
        encoding = headers.get("content-encoding")
        return body if encoding is None else unpacked(body, encoding, self._max_bytes)

    async def _read(self, headers: Headers, exchange: Exchange) -> bytes:
        declared = headers.get("content-length")
        if declared is None:
            return await self._read_chunks(exchange)
        size = int(declared)
        if size > self._max_bytes:
            raise self._too_large()
        taken = self._take(size) if size > _SMALL_BYTES else 0
        arriving = exchange()
        # Watched from outside: a timer for each body would cost more than reading it.
        self._arriving[arriving] = time.monotonic() + self._seconds
        try:
            body = await arriving
        except asyncio.CancelledError:
            raise _too_slow() from None
        except ProtocolClosed:
            raise ClientGone from None
        finally:
            del self._arriving[arriving]
            self._large_bytes -= taken
        if len(body) != size:
            raise ClientGone
        return body

    async def _read_chunks(self, exchange: Exchange) -> bytes:
        """A body whose length nobody said."""
        body = bytearray()
        taken = 0
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in exchange:
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise self._too_large()
                    if len(body) > _SMALL_BYTES and not taken:
                        taken = self._take(self._max_bytes)
        except TimeoutError:
            raise _too_slow() from None
        except ProtocolClosed:
            raise ClientGone from None
        finally:
            self._large_bytes -= taken
        return bytes(body)

    def end_overdue(self) -> None:
        """Gives up the bodies whose time is over; to be called now and then."""
        now = time.monotonic()
        for arriving, deadline in list(self._arriving.items()):
            if deadline > now:
                return
            arriving.cancel()

    def _take(self, size: int) -> int:
        """Room for a large body. Raises NotDurable where there is none."""
        if self._large_bytes + size > _MOST_LARGE_BODIES * self._max_bytes:
            raise NotDurable("Too many large bodies arrive at once. Send the request again, with the same event ids.")
        self._large_bytes += size
        return size

    def _too_large(self) -> RequestRefused:
        return RequestRefused(413, "too_large", f"The body is too large: at most {self._max_bytes} bytes are allowed.")


def key_of(scope: Scope) -> str | None:
    """The key of the request. Raises RequestRefused for an Authorization that is no key."""
    authorization = _said(scope.headers, "authorization")
    if authorization is not None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return given.strip()
        key = _user_name(given) if scheme.lower() == "basic" else None
        if key is None:
            raise RequestRefused(
                401, "unknown_key", "Send the site's key as Authorization: Bearer KEY, or as the user name of Basic."
            )
        return key
    return parameter(scope, "key")


def parameter(scope: Scope, name: str) -> str | None:
    """A parameter of the query string."""
    query = scope.query_string
    if f"{name}=" not in query:
        return None
    return parse_qs(query).get(name, [None])[0]


_UNREADABLE = "?"
"""No key and no Origin. Neither must be taken for absent: then the event would go to another site."""


def _said(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    return _UNREADABLE if value is None and name in headers else value


def _user_name(credentials: str) -> str | None:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except ValueError:
        return None


def _too_slow() -> RequestRefused:
    return RequestRefused(408, "too_slow", "The body did not arrive in time. Send the request again.")
