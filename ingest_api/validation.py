"""From what a site sent to the event that travels: pure but for the salt of the day."""

import hashlib
import random

import msgspec

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, MAX_EVENT_BYTES, Event
from ingest_api.admission import Grant
from ingest_api.errors import EventRejected
from ingest_api.event_time import event_time
from ingest_api.kept_address import kept_address, path_of
from ingest_api.salts import Salts
from ingest_api.tracked_event import TrackedEvent

_VARIANT_HIGH, _VARIANT_LOW = 1 << 63, 1 << 62
"""The two bits of a UUID that say how it is laid out."""

_MAX_ID = 500
_MAX_ADDRESS = 4_000
_MAX_USER_AGENT = 1_000


class Sender(msgspec.Struct, frozen=True, gc=False):
    """The request that an event came with. `received_at` is microseconds since 1970 UTC."""

    ip: str
    user_agent: bytes | None
    origin: str | None
    key: str | None
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
    site, server = grant.site, grant.server
    object_type, object_id = tracked.object_type, tracked.object_id
    subject_type, subject_id = tracked.subject_type, tracked.subject_id
    visitor_id, user_id, session_id = tracked.visitor_id, tracked.user_id, tracked.session_id
    # Looked at one by one and not in a loop: this is where a collector spends its time.
    if isinstance(object_id, int):
        object_id = _text(object_id, "objectId")
    if isinstance(subject_id, int):
        subject_id = _text(subject_id, "subjectId")
    if isinstance(visitor_id, int):
        visitor_id = _text(visitor_id, "visitorId")
    if isinstance(user_id, int):
        user_id = _text(user_id, "userId")
    if isinstance(session_id, int):
        session_id = _text(session_id, "sessionId")
    if object_type is None and object_id is not None:
        raise _type_needed("object")
    if subject_type is None and subject_id is not None:
        raise _type_needed("subject")
    ip: str | None = None
    user_agent: str | None = None
    if tracked.client_ip is not None or tracked.user_agent is not None:
        if not server:
            raise _server_key_needed("clientIp" if tracked.client_ip is not None else "userAgent")
        ip, user_agent = tracked.client_ip, tracked.user_agent
    elif sender.origin is not None or (visitor_id is None and user_id is None and object_id is None):
        # A server's own address never makes a visitor of somebody it names.
        ip = sender.ip
        if sender.user_agent is not None:
            user_agent = sender.user_agent.decode("latin-1")[:_MAX_USER_AGENT]
    if visitor_id is None:
        if user_id is not None:
            visitor_id = user_id
        elif object_id is not None and (object_type == "user" or object_type == "visitor"):
            visitor_id = object_id
        elif ip is not None:
            salt = salts.of_day(site.time_zone, sender.received_at)
            visitor_id = hashed_visitor(salt, site.domain, ip, user_agent)
    url = _address(tracked.url, "url") if tracked.url is not None else None
    if subject_type is None and url is not None and tracked.action == "pageview":
        # The address itself stays whole in `url`.
        subject_type, subject_id = "page", path_of(url)[:_MAX_ID]
    occurred_at, adjusted = event_time(tracked.datetime_stamp, tracked.sent_at, sender.received_at, server)
    return Event(
        event_id=tracked.event_id or new_event_id(sender.received_at),
        site=site.domain,
        action=tracked.action,
        object_type=object_type or "visitor",
        object_id=object_id if object_type is not None else visitor_id,
        subject_type=subject_type,
        subject_id=subject_id,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        visitor_id=visitor_id,
        user_id=user_id,
        session_id=session_id,
        url=url,
        referrer=_address(tracked.referrer, "referrer") if tracked.referrer is not None else None,
        title=tracked.title,
        language=tracked.language,
        screen_width=tracked.screen_width,
        user_agent=user_agent,
        clock_adjusted=adjusted,
        properties=tracked.properties,
        ingest_version=INGEST_VERSION,
    )


def hashed_visitor(salt: bytes, site: str, ip: str, user_agent: str | None) -> str:
    """A visitor of one day who has no other name; without the salt nobody can tell whom it was made of."""
    seen = f"{site}\x1f{ip}\x1f{user_agent or ''}".encode()
    return hashlib.blake2b(seen, key=salt, digest_size=16).hexdigest()


def new_event_id(received_at: int) -> str:
    """A UUIDv7: milliseconds since 1970 UTC, then chance."""
    chance = random.getrandbits(76) & ~_VARIANT_LOW | _VARIANT_HIGH  # it need be unique, not secret
    digits = f"{received_at // 1_000:012x}7{chance:019x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _text(identifier: int, field: str) -> str:
    text = str(identifier)
    if len(text) > _MAX_ID:
        raise EventRejected("invalid", f"{field}: expected at most {_MAX_ID} digits.", field)
    return text


def _address(url: str, field: str) -> str:
    kept = kept_address(url)
    if len(kept) > _MAX_ADDRESS:
        raise EventRejected("invalid", f"{field}: expected at most {_MAX_ADDRESS} characters of what is kept.", field)
    return kept


def _type_needed(role: str) -> EventRejected:
    return EventRejected("invalid", f"{role}Type: needed where {role}Id is given.", f"{role}Type")


def _server_key_needed(field: str) -> EventRejected:
    return EventRejected("server_key_needed", f"{field}: only the site's server key may say it.", field)
