"""From what a site sent to the event that travels: pure but for the salt of the day."""

import hashlib
import os
from typing import NamedTuple

import msgspec

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, MAX_EVENT_BYTES, NO_PROPERTIES, Event
from ingest_api.admission import Grant
from ingest_api.errors import EventRejected
from ingest_api.event_time import event_time
from ingest_api.kept_address import kept_address, path_of
from ingest_api.salts import Salts
from ingest_api.tracked_event import TrackedEvent

_MAX_ID = 500
_MAX_ADDRESS = 4_000
_MAX_USER_AGENT = 1_000


class Sender(NamedTuple):
    """The request that an event came with. `received_at` is microseconds since 1970 UTC."""

    ip: str
    user_agent: str | None
    has_origin: bool
    received_at: int


def encode_tracked(tracked: TrackedEvent, grant: Grant, sender: Sender, salts: Salts) -> tuple[Event, bytes]:
    """The event and the value of its record. Raises EventRejected."""
    event = stamp(tracked, grant, sender, salts)
    value = encode_event(event)
    if len(value) > MAX_EVENT_BYTES:
        raise EventRejected(
            "too_large", f"The event is {len(value)} bytes of JSON; at most {MAX_EVENT_BYTES} are allowed.", status=413
        )
    return event, value


def stamp(tracked: TrackedEvent, grant: Grant, sender: Sender, salts: Salts) -> Event:
    """The event with all that the collector knows of it. Raises EventRejected."""
    _require_pairs(tracked)
    if not grant.server:
        _require_no_server_fields(tracked)
    object_type, object_id = tracked.object_type, _text(tracked.object_id, "objectId")
    visitor_id, user_id = _text(tracked.visitor_id, "visitorId"), _text(tracked.user_id, "userId")
    names_actor = visitor_id is not None or user_id is not None or object_id is not None
    ip, user_agent = _client(tracked, sender, names_actor)
    if visitor_id is None:
        if user_id is not None:
            visitor_id = user_id
        elif object_type in {"user", "visitor"} and object_id is not None:
            visitor_id = object_id
        elif ip is not None:
            salt = salts.of_day(grant.site.time_zone, sender.received_at)
            visitor_id = hashed_visitor(salt, grant.site.domain, ip, user_agent)
    if object_type is None:
        object_type, object_id = "visitor", visitor_id
    url = _address(tracked.url, "url")
    subject_type, subject_id = tracked.subject_type, _text(tracked.subject_id, "subjectId")
    if subject_type is None and tracked.action == "pageview" and url is not None:
        # The address itself stays whole in `url`.
        subject_type, subject_id = "page", path_of(url)[:_MAX_ID]
    occurred_at, adjusted = event_time(tracked.datetime_stamp, tracked.sent_at, sender.received_at, grant.server)
    return Event(
        event_id=tracked.event_id or new_event_id(sender.received_at),
        site=grant.site.domain,
        action=tracked.action,
        object_type=object_type,
        object_id=object_id,
        subject_type=subject_type,
        subject_id=subject_id,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        visitor_id=visitor_id,
        user_id=user_id,
        session_id=_text(tracked.session_id, "sessionId"),
        url=url,
        referrer=_address(tracked.referrer, "referrer"),
        title=tracked.title,
        language=tracked.language,
        screen_width=tracked.screen_width,
        user_agent=user_agent,
        clock_adjusted=adjusted,
        properties=_kept_properties(tracked.properties),
        ingest_version=INGEST_VERSION,
    )


def hashed_visitor(salt: bytes, site: str, ip: str, user_agent: str | None) -> str:
    """A visitor of one day who has no other name; without the salt nobody can tell whom it was made of."""
    seen = f"{site}\x1f{ip}\x1f{user_agent or ''}".encode()
    return hashlib.blake2b(seen, key=salt, digest_size=16).hexdigest()


def new_event_id(received_at: int) -> str:
    """A UUIDv7: milliseconds since 1970 UTC, then chance."""
    chance = int.from_bytes(os.urandom(10))
    bits = (received_at // 1_000) << 80 | 0x7 << 76 | (chance >> 68) << 64 | 0b10 << 62 | chance & (1 << 62) - 1
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _client(tracked: TrackedEvent, sender: Sender, names_actor: bool) -> tuple[str | None, str | None]:
    """Address and User-Agent of the visitor. A server's own never make a visitor of it."""
    if tracked.client_ip is not None or tracked.user_agent is not None:
        return tracked.client_ip, tracked.user_agent
    if sender.has_origin or not names_actor:
        return sender.ip, sender.user_agent[:_MAX_USER_AGENT] if sender.user_agent else None
    return None, None


def _require_pairs(tracked: TrackedEvent) -> None:
    if tracked.object_id is not None and tracked.object_type is None:
        raise EventRejected("invalid", "objectType: needed where objectId is given.", "objectType")
    if tracked.subject_id is not None and tracked.subject_type is None:
        raise EventRejected("invalid", "subjectType: needed where subjectId is given.", "subjectType")


def _require_no_server_fields(tracked: TrackedEvent) -> None:
    for field, value in (("clientIp", tracked.client_ip), ("userAgent", tracked.user_agent)):
        if value is not None:
            raise EventRejected("server_key_needed", f"{field}: only the site's server key may say it.", field)


def _text(identifier: str | int | None, field: str) -> str | None:
    if not isinstance(identifier, int):
        return identifier
    text = str(identifier)
    if len(text) > _MAX_ID:
        raise EventRejected("invalid", f"{field}: expected at most {_MAX_ID} digits.", field)
    return text


def _kept_properties(properties: msgspec.Raw) -> msgspec.Raw:
    if properties is NO_PROPERTIES:
        return properties
    return NO_PROPERTIES if bytes(properties) == b"null" else properties


def _address(url: str | None, field: str) -> str | None:
    if url is None:
        return None
    kept = kept_address(url)
    if len(kept) > _MAX_ADDRESS:
        raise EventRejected("invalid", f"{field}: expected at most {_MAX_ADDRESS} characters without its query.", field)
    return kept
