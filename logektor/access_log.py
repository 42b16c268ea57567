"""Lines of an Apache or nginx access log, in the common or the combined format, and what each says was done.

Servers write bytes that need not be text. What they escaped (\\" \\\\ \\x16) is unescaped first. Addresses are then
percent-encoded where they are not printable ASCII; every other text is UTF-8, or Latin-1 where it is not valid UTF-8,
so that no byte is lost.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import Literal
from urllib.parse import quote_from_bytes

Action = Literal["pageview", "download", "error", "request"]

_PAGE_EXTENSIONS = frozenset({"", "html", "htm", "php", "xhtml"})

DOWNLOAD_EXTENSIONS = frozenset(
    extension
    for kind in json.loads((files("ingest_api") / "tracker/download_extensions.json").read_text("utf-8")).values()
    for extension in kind
)
"""Documents, archives, audio and video, installers. Images, styles and scripts are parts of pages, not downloads;
`txt` is left out because robots.txt and its like would be most of it."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One request as the server logged it; None where the log says `-` or nothing.

    `path` and `query` are as requested, percent-encodings included; they are None where the request is not one for
    a path (`OPTIONS *`, TLS bytes sent to a plain port, a connection closed without a request).
    """

    client: str
    occurred_at: datetime
    method: str | None
    path: str | None
    query: str | None
    status: int
    bytes_sent: int | None
    referrer: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is not in a known format, and why."""

    reason: str


_QUOTED = rb'(?:[^"\\]|\\.)*+'
_LINE = re.compile(
    # A user may contain spaces, but `- ` before one means that the line begins with a virtual host and not a client.
    rb"(?P<client>\S+) \S+ (?!- [^[]).+? "
    rb"\[(?P<day>\d\d)/(?P<month>[A-Za-z]{3})/(?P<year>\d{4}):(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) "
    rb"(?P<offset>[+-]\d{4})\] "
    rb'"(?P<request>' + _QUOTED + rb')" (?P<status>\d{3}) (?P<bytes>\d+|-)'
    # Some logs append fields of their own to the combined format.
    rb'(?: "(?P<referrer>' + _QUOTED + rb')" "(?P<user_agent>' + _QUOTED + rb')"(?: .*)?)?',
    re.DOTALL,
)
_REQUEST = re.compile(rb"(?P<method>[A-Z_-]+) (?P<target>.+?)(?: HTTP/\d(?:\.\d)?)?", re.DOTALL)
_ORIGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|[\"\\bnrtv])")
_ESCAPED = {b'"': b'"', b"\\": b"\\", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_MONTHS = {
    name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_ASCII_OF_ADDRESSES = "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}"


def parse_line(line: bytes) -> LogLine | Unreadable:
    """What a line says, given without its line end."""
    match = _LINE.fullmatch(line)
    if match is None:
        return Unreadable("not in the common or combined log format")
    try:
        occurred_at = _occurred_at(match)
    except (KeyError, ValueError):
        return Unreadable("its time does not exist")
    method, path, query = _request(_unescaped(match["request"]))
    return LogLine(
        client=_text(match["client"]),
        occurred_at=occurred_at,
        method=method,
        path=path,
        query=query,
        status=int(match["status"]),
        bytes_sent=None if match["bytes"] == b"-" else int(match["bytes"]),
        referrer=None if (referrer := _present(match["referrer"])) is None else _address(referrer),
        user_agent=None if (user_agent := _present(match["user_agent"])) is None else _text(user_agent),
    )


def action_of(line: LogLine) -> Action:
    """What the visitor did."""
    if line.method == "GET" and line.path is not None and (200 <= line.status < 300 or line.status == 304):
        extension = _extension(line.path)
        if extension in _PAGE_EXTENSIONS:
            return "pageview"
        if extension in DOWNLOAD_EXTENSIONS:
            return "download"
    return "error" if line.status >= 400 else "request"


def _extension(path: str) -> str:
    """The lower-case extension of a path's last part; empty where it has none."""
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    return extension.lower() if dot else ""


def _occurred_at(match: re.Match[bytes]) -> datetime:
    offset = match["offset"]
    east = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
    return datetime(
        int(match["year"]),
        _MONTHS[match["month"]],
        int(match["day"]),
        int(match["hour"]),
        int(match["minute"]),
        int(match["second"]),
        tzinfo=timezone(-east if offset.startswith(b"-") else east),
    )


def _request(request: bytes) -> tuple[str | None, str | None, str | None]:
    """Method, path and query of a request line."""
    match = _REQUEST.fullmatch(request)
    if match is None:
        return None, None, None
    target = _ORIGIN.sub(b"", match["target"], count=1) if _ORIGIN.match(match["target"]) else match["target"]
    method = match["method"].decode("ascii")
    if not target.startswith(b"/"):
        return method, None, None
    # What a client sends has no fragment: a `#` in it is a character of the path or of the query.
    path, mark, query = _address(target).replace("#", "%23").partition("?")
    return method, path, query if mark else None


def _present(field: bytes | None) -> bytes | None:
    return None if field is None or field in {b"", b"-"} else _unescaped(field)


def _unescaped(field: bytes) -> bytes:
    return _ESCAPE.sub(_unescape, field) if b"\\" in field else field


def _unescape(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    return bytes.fromhex(escape[1:].decode("ascii")) if escape.startswith(b"x") else _ESCAPED[escape]


def _address(field: bytes) -> str:
    return quote_from_bytes(field, safe=_ASCII_OF_ADDRESSES)


def _text(field: bytes) -> str:
    try:
        return field.decode("utf-8")
    except UnicodeDecodeError:
        return field.decode("latin-1")
