"""Answers that save work: 304 where the reader already has it, 206 where it wants a piece (RFC 9110)."""

import re

from fastapi import Request
from fastapi.responses import Response

from query_api.errors import ApiError

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def has_already(request: Request, etag: str) -> bool:
    """Whether If-None-Match names this ETag."""
    held = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in held or "*" in held


def not_modified(headers: dict[str, str]) -> Response:
    """A 304: what the reader has is still right."""
    return Response(status_code=304, headers=headers)


def whole_or_piece(request: Request, body: bytes, etag: str, media_type: str, headers: dict[str, str]) -> Response:
    """The body, or the one piece that Range asks for. Raises ApiError (416) where there is no such piece."""
    headers = {**headers, "Accept-Ranges": "bytes"}
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(len(body))}, media_type=media_type)
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None or request.headers.get("if-range", etag) != etag:
        return Response(body, headers=headers, media_type=media_type)
    begin, end = wanted.groups()
    if not _is_sensible(begin, end):
        return Response(body, headers=headers, media_type=media_type)
    first, last = _piece(begin, end, len(body))
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Response(body[first : last + 1], status_code=206, headers=headers, media_type=media_type)


def _is_sensible(begin: str, end: str) -> bool:
    """Whether the piece is one that may be asked for; a Range that is not is ignored."""
    return bool(begin or end) and not (begin and end and int(begin) > int(end))


def _piece(begin: str, end: str, length: int) -> tuple[int, int]:
    """First and last byte, both inclusive."""
    first = int(begin) if begin else max(length - int(end), 0)
    last = min(int(end), length - 1) if begin and end else length - 1
    if first > last:
        headers = {"Content-Range": f"bytes */{length}"}
        raise ApiError(416, "range_not_satisfiable", f"The answer has {length} bytes.", headers=headers)
    return first, last
