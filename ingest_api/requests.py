"""What is read of a request, within bounds."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ingest_api.errors import RequestRefused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]
"""Names in lower case; of a repeated one the last."""

NDJSON_TYPES = frozenset({b"application/x-ndjson", b"application/ndjson", b"application/jsonl"})

# text/plain: beacons, that so need no preflight; form-urlencoded: what curl -d says of any body.
_JSON_TYPES = frozenset({b"", b"application/json", b"text/plain", b"application/x-www-form-urlencoded"})


class ClientGone(Exception):
    """The client went away before its request was whole: nobody waits for an answer."""


def content_type(headers: Headers) -> bytes:
    """The media type. Raises RequestRefused where it is not a kind of JSON, or compressed."""
    media_type = headers.get(b"content-type", b"")
    if media_type not in _JSON_TYPES:
        media_type = media_type.partition(b";")[0].strip().lower()
        if media_type not in _JSON_TYPES and media_type not in NDJSON_TYPES:
            raise RequestRefused(415, "unsupported_type", "Send JSON as application/json or text/plain.")
    if b"content-encoding" in headers and headers[b"content-encoding"] != b"identity":
        raise RequestRefused(415, "unsupported_encoding", "Send the body without Content-Encoding.")
    return media_type


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> bytes:
    """The whole body. Raises RequestRefused as soon as it is too large, ClientGone where its end never comes."""
    declared = int(headers.get(b"content-length", b"-1"))
    if declared > max_bytes:
        raise _too_large(max_bytes)
    message = await receive()
    chunk: bytes = message.get("body", b"")
    # The server says `more` until it is asked again; the declared length tells without asking.
    if len(chunk) == declared:
        return chunk
    body = bytearray(chunk)
    while message.get("more_body", False) and len(body) <= max_bytes:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if message["type"] == "http.disconnect":
        raise ClientGone
    return bytes(body)


def key_of(scope: Scope, headers: Headers) -> str | None:
    """The key of the request. Raises RequestRefused for an Authorization that is no Bearer key."""
    if b"authorization" in headers:
        scheme, _, key = headers[b"authorization"].decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise RequestRefused(401, "unknown_key", "Send the site's key as Authorization: Bearer KEY.")
        return key.strip()
    query: bytes = scope["query_string"]
    if b"key=" not in query:
        return None
    return parse_qs(query.decode("latin-1")).get("key", [None])[0]


def origin_of(headers: Headers) -> str | None:
    """The web origin of the page that sends the request; None where it is no page."""
    return headers[b"origin"].decode("latin-1") if b"origin" in headers else None


def _too_large(max_bytes: int) -> RequestRefused:
    return RequestRefused(413, "too_large", f"The body is too large: at most {max_bytes} bytes are allowed.")
