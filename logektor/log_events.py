"""Lines of an access log as events of a site."""

import hashlib
import hmac
from base64 import b64encode
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from logektor.access_log import LogLine, Unreadable, action_of, parse_line
from sites import Site

_NAMESPACE = UUID("5d0c2c67-6c0e-5d0b-9c63-3f1f0a6f4b7e")
"""Of the ids of all imported lines. Another value would count every line imported before once more."""

MAX_SUBJECT_CHARACTERS = 500
"""The event's own bound; a longer path is whole in the event's url."""

MAX_USER_AGENT_CHARACTERS = 1_000
"""The event's own bound; the collector cuts a browser's own User-Agent there too."""

_REMEMBERED_LINES = 250_000


class EncodedLine(NamedTuple):
    """The JSON of a line's event, and why the collector will refuse it; None where it should not."""

    event: bytes
    trouble: str | None


class _Properties(msgspec.Struct, omit_defaults=True):
    status: int
    method: str | None = None
    bytes: int | None = None


class _LineEvent(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    event_id: str
    site: str
    action: str
    datetime_stamp: datetime
    subject_type: str | None = None
    subject_id: str | None = None
    visitor_id: str
    url: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    properties: _Properties


class _UnreadableLine(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Neither field is one of an event, so that the collector refuses the line and keeps it."""

    event_id: str
    site: str
    raw: str | None = None
    raw_base64: str | None = None


class LineEvents:
    """Turns the lines of one file into events; each line is given once, in the file's order.

    The same file gives the same ids however often it is read: an id is made of the site, the line's bytes and how
    many identical lines came before it.
    """

    def __init__(self, site: Site, visitor_key: bytes) -> None:
        self._site = site.domain
        self._time_zone = ZoneInfo(site.time_zone)
        self._visitor_key = visitor_key
        # Identical lines share a second, so they are near each other. Two generations bound what is remembered.
        self._counts: dict[bytes, int] = {}
        self._older_counts: dict[bytes, int] = {}

    def skip(self, line: bytes) -> None:
        """Passes over a line that is acknowledged, so that identical ones after it keep their ids."""
        self._count(line)

    def encode(self, line: bytes) -> EncodedLine:
        """The event of a line, given without its line end."""
        event_id = self._event_id(line)
        parsed = parse_line(line)
        if isinstance(parsed, Unreadable):
            return EncodedLine(msgspec.json.encode(self._unreadable(event_id, line)), parsed.reason)
        return EncodedLine(msgspec.json.encode(self._readable(event_id, parsed)), None)

    def _readable(self, event_id: str, line: LogLine) -> _LineEvent:
        query = "" if line.query is None else f"?{line.query}"
        return _LineEvent(
            event_id=event_id,
            site=self._site,
            action=action_of(line),
            datetime_stamp=line.occurred_at,
            subject_type=None if line.path is None else "page",
            subject_id=None if line.path is None else line.path[:MAX_SUBJECT_CHARACTERS],
            visitor_id=self._visitor_id(line),
            url=None if line.path is None else f"https://{self._site}{line.path}{query}",
            referrer=line.referrer,
            user_agent=None if line.user_agent is None else line.user_agent[:MAX_USER_AGENT_CHARACTERS],
            properties=_Properties(line.status, line.method, line.bytes_sent),
        )

    def _unreadable(self, event_id: str, line: bytes) -> _UnreadableLine:
        try:
            return _UnreadableLine(event_id=event_id, site=self._site, raw=line.decode("utf-8"))
        except UnicodeDecodeError:
            return _UnreadableLine(event_id=event_id, site=self._site, raw_base64=b64encode(line).decode("ascii"))

    def _visitor_id(self, line: LogLine) -> str:
        """Client address and User-Agent within a day of the site; nobody can go back without the key."""
        day = line.occurred_at.astimezone(self._time_zone).date().isoformat()
        who = "\n".join((self._site, day, line.client, line.user_agent or ""))
        return hmac.digest(self._visitor_key, who.encode("utf-8"), "sha256").hex()[:32]

    def _event_id(self, line: bytes) -> str:
        name = f"{self._site}\n{self._count(line)}\n".encode() + line
        # A UUIDv5 by hand: in Python 3.11 `uuid.uuid5` takes no bytes.
        digest = hashlib.sha1(_NAMESPACE.bytes + name, usedforsecurity=False).digest()
        return str(UUID(bytes=digest[:16], version=5))

    def _count(self, line: bytes) -> int:
        """How many identical lines came before."""
        key = hashlib.blake2b(line, digest_size=16).digest()
        count = self._counts.get(key, self._older_counts.get(key, 0))
        self._counts[key] = count + 1
        if len(self._counts) >= _REMEMBERED_LINES:
            self._older_counts, self._counts = self._counts, {}
        return count
