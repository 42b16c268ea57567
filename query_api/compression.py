"""Answers are compressed as the request's Accept-Encoding likes them best: zstd or gzip, by Starlette's responders."""

import anyio.to_thread
from backports import zstd
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from query_api.formats import MEDIA_TYPES
from query_api.quality import qualities

MINIMUM = 1_000
"""Bytes from which an answer is compressed: less fits into one packet as it is."""

_ENCODINGS = ("zstd", "gzip")
_GZIP_LEVEL = 5
_ZSTD_LEVEL = 3
_IN_A_THREAD = 128 * 1024
"""Bytes from which compressing would keep the event loop from other answers."""

_LEFT_ALONE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, MEDIA_TYPES["parquet"])


def wanted_encoding(accept_encoding: str) -> str | None:
    """The coding that a request likes best, zstd before gzip where it likes both; None for the bytes as they are."""
    wanted = qualities(accept_encoding)
    rest = wanted.get("*", 0.0)
    best = max(_ENCODINGS, key=lambda name: wanted.get(name, rest))
    quality = wanted.get(best, rest)
    return best if quality > 0 and quality >= wanted.get("identity", 0.0) else None


class Compression:
    """Compresses answers, streamed ones piece by piece. Parquet, pieces of files and small answers stay as they are.

    An ETag names bytes: that of a compressed answer ends with its encoding, as in "abc-gzip".
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        # A piece is one of the bytes as they are: only they are the same whenever they are asked for.
        encoding = None if "range" in asked else wanted_encoding(asked.get("accept-encoding", ""))
        held = asked.get("if-none-match", "")
        # A file whose bytes the server takes from the disk itself would pass by.
        scope = {**scope, "extensions": {}}
        if encoding and held:
            scope["headers"] = _with_plain_tags(scope, held, encoding)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                _name(MutableHeaders(scope=message), message["status"], held, encoding, scope["method"] == "HEAD")
            await send(message)

        await _responder(self._app, encoding, scope["method"])(scope, receive, send_named)


def _responder(app: ASGIApp, encoding: str | None, method: str) -> ASGIApp:
    if method == "HEAD":
        return app
    if encoding == "zstd":
        return _ZstdResponder(app, MINIMUM, exclude_content_types=_LEFT_ALONE)
    if encoding == "gzip":
        return GZipResponder(
            app, MINIMUM, _GZIP_LEVEL, thread_minimum_size=_IN_A_THREAD, exclude_content_types=_LEFT_ALONE
        )
    return IdentityResponder(app, MINIMUM, exclude_content_types=_LEFT_ALONE)


class _ZstdResponder(IdentityResponder):
    content_encoding = "zstd"

    def __init__(self, app: ASGIApp, minimum_size: int, *, exclude_content_types: tuple[str, ...]) -> None:
        super().__init__(app, minimum_size, exclude_content_types=exclude_content_types)
        self._compressor = zstd.ZstdCompressor(_ZSTD_LEVEL)

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        if len(body) >= _IN_A_THREAD:
            return await anyio.to_thread.run_sync(self._compressed, body, more_body)
        return self._compressed(body, more_body)

    def _compressed(self, body: bytes, more_body: bool) -> bytes:
        compressor = self._compressor
        return compressor.compress(body, compressor.FLUSH_BLOCK if more_body else compressor.FLUSH_FRAME)


def _with_plain_tags(scope: Scope, held: str, encoding: str) -> list[tuple[bytes, bytes]]:
    """The headers with the ETags as the routes know them, for they know nothing of encodings."""
    plain = held.replace(f'-{encoding}"', '"').encode("latin-1")
    return [(name, plain if name == b"if-none-match" else value) for name, value in scope["headers"]]


def _name(headers: MutableHeaders, status: int, held: str, encoding: str | None, is_head: bool) -> None:
    """Completes the headers by what depends on the encoding."""
    if status in (206, 304):
        headers.add_vary_header("Accept-Encoding")
    if is_head and status == 200 and _is_compressible(headers):
        headers.add_vary_header("Accept-Encoding")
        if encoding:
            # The length is known only to who compresses; GET says it.
            headers["Content-Encoding"] = encoding
            del headers["Content-Length"]
    etag = headers.get("etag")
    if etag and encoding:
        named = f'{etag.removesuffix(chr(34))}-{encoding}"'
        if headers.get("content-encoding") == encoding or (status == 304 and named in held and etag not in held):
            headers["ETag"] = named


def _is_compressible(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type not in _LEFT_ALONE and int(headers.get("content-length", 0)) >= MINIMUM
