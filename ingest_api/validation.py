"""From what a site sent to the event that travels: pure but for the salt of the day and the file of countries."""

import hashlib
import random
import uuid
from collections.abc import Iterator
from itertools import count
from typing import Protocol

import msgspec

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, MAX_EVENT_BYTES, Event
from ingest_api.admission import Grant
from ingest_api.errors import EventRejected
from ingest_api.event_time import event_time
from ingest_api.kept_address import kept_address, path_of
from ingest_api.tracked_event import TrackedEvent
from sites import Site

_MAX_ID = 500
_MAX_ADDRESS = 4_000
_MAX_USER_AGENT = 1_000
_REQUESTS = uuid.UUID("5f1f1c2e-6f0e-4c57-9d8c-0b6c1d7a3b52")
"""The name space of the ids that are made of requests."""


class Sender(msgspec.Struct, frozen=True, gc=False):
    """The request that an event came with. `received_at` is microseconds since 1970 UTC.

    `new_ids` are for events that came without one, where the request says which request it is.
    """

    ip: str
    user_agent: str | None
    origin: str | None
    key: str | None
    received_at: int
    asks_not_to_be_tracked: bool = False
    new_ids: Iterator[str] | None = None


class DailySalts(Protocol):
    """The secrets that visitor ids are made with."""

    def of_day(self, time_zone: str, now: int) -> bytes: ...


class CountryOf(Protocol):
    """Where an address is."""

    def of(self, ip: str) -> str | None: ...


class Stamper:
    """Adds to an event all that the collector knows of it."""

    def __init__(self, salts: DailySalts, countries: CountryOf) -> None:
        self._salts = salts
        self._countries = countries

    def stamp(self, tracked: TrackedEvent, grant: Grant, sender: Sender) -> Event:
        """The event as it travels. Raises EventRejected."""
        site, server = grant.site, grant.server
        object_type, object_id = tracked.object_type, tracked.object_id
        subject_type, subject_id = tracked.subject_type, tracked.subject_id
        visitor_id, user_id, session_id = tracked.visitor_id, tracked.user_id, tracked.session_id
        # Looked at one by one and not in a loop: this is where a collector spends its time.
        if object_id.__class__ is int:
            object_id = _text(object_id, "objectId")
        if subject_id.__class__ is int:
            subject_id = _text(subject_id, "subjectId")
        if visitor_id.__class__ is int:
            visitor_id = _text(visitor_id, "visitorId")
        if user_id.__class__ is int:
            user_id = _text(user_id, "userId")
        if session_id.__class__ is int:
            session_id = _text(session_id, "sessionId")
        if object_type is None:
            if object_id is not None:
                raise _type_needed("object")
            object_type = "visitor"
        if subject_type is None and subject_id is not None:
            raise _type_needed("subject")
        ip = user_agent = country = None
        if tracked.client_ip is not None or tracked.user_agent is not None:
            if not server:
                raise _server_key_needed("clientIp" if tracked.client_ip is not None else "userAgent")
            ip, user_agent = tracked.client_ip, tracked.user_agent
        elif sender.origin is not None or (visitor_id is None and user_id is None and object_id is None):
            # A server's own address never makes a visitor of somebody it names.
            ip = sender.ip
            if sender.user_agent is not None:
                user_agent = sender.user_agent[:_MAX_USER_AGENT]
        if sender.asks_not_to_be_tracked and site.do_not_track == "anonymous":
            ip = user_agent = visitor_id = user_id = session_id = None
            if object_type == "user" or object_type == "visitor":
                object_id = None
        elif visitor_id is None:
            if user_id is not None:
                visitor_id = user_id
            elif object_id is not None and (object_type == "user" or object_type == "visitor"):
                visitor_id = object_id
            elif ip is not None:
                visitor_id = self._nameless_visitor(site, ip, user_agent, sender.received_at)
        if object_id is None and object_type == "visitor":
            object_id = visitor_id
        if ip is not None:
            country = self._countries.of(ip)
        url, referrer = tracked.url, tracked.referrer
        if url is not None:
            url = _address(url, "url", site.query_parameters)
            if subject_type is None and tracked.action == "pageview":
                # The address itself stays whole in `url`.
                subject_type, subject_id = "page", path_of(url)[:_MAX_ID]
        if referrer is not None:
            referrer = _address(referrer, "referrer", ())
        received_at = sender.received_at
        occurred_at, adjusted = event_time(
            tracked.datetime_stamp, tracked.sent_at, received_at, site.oldest_days, server
        )
        # In the order of Event's fields: naming each would take three times as long.
        return Event(
            tracked.event_id or (new_event_id(received_at) if sender.new_ids is None else next(sender.new_ids)),
            site.domain,
            tracked.action,
            object_type,
            occurred_at,
            received_at,
            INGEST_VERSION,
            object_id,  # type: ignore[arg-type]  # a text by now, as are the other ids
            subject_type,
            subject_id,  # type: ignore[arg-type]
            visitor_id,  # type: ignore[arg-type]
            user_id,  # type: ignore[arg-type]
            session_id,  # type: ignore[arg-type]
            url,
            referrer,
            tracked.title,
            tracked.language,
            tracked.screen_width,
            user_agent,
            country,
            adjusted,
            tracked.properties,
        )

    def country(self, sender: Sender) -> str | None:
        """Where the client's address is."""
        return self._countries.of(sender.ip)

    def visitor(self, sender: Sender, site: Site) -> str | None:
        """Whom the site's events of this client belong to where they name nobody; None for who is not told apart."""
        if sender.asks_not_to_be_tracked and site.do_not_track != "ignore":
            return None
        return self._nameless_visitor(site, sender.ip, sender.user_agent, sender.received_at)

    def _nameless_visitor(self, site: Site, ip: str, user_agent: str | None, received_at: int) -> str:
        return hashed_visitor(self._salts.of_day(site.time_zone, received_at), site.domain, ip, user_agent)


def encode_bounded(event: Event) -> bytes:
    """The value of the event's record. Raises EventRejected where it is too large."""
    value = encode_event(event)
    if len(value) > MAX_EVENT_BYTES:
        raise EventRejected(
            "too_large", f"The event is {len(value)} bytes of JSON; at most {MAX_EVENT_BYTES} are allowed.", status=413
        )
    return value


def hashed_visitor(salt: bytes, site: str, ip: str, user_agent: str | None) -> str:
    """A visitor of one day who has no other name; without the salt nobody can tell whom it was made of."""
    seen = f"{site}\x1f{ip}\x1f{user_agent or ''}".encode()
    return hashlib.blake2b(seen, key=salt, digest_size=16).hexdigest()


def new_event_id(received_at: int) -> str:
    """A UUIDv7 (RFC 9562): milliseconds since 1970 UTC, then chance."""
    milliseconds = received_at // 1_000
    chance = random.getrandbits(74)  # it need be unique, not secret
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031 - half the time of an f-string
        milliseconds >> 16,
        milliseconds & 0xFFFF,
        chance & 0xFFF,
        0x8000 | chance >> 12 & 0x3FFF,
        chance >> 26,
    )


def event_ids_of(request: str) -> Iterator[str]:
    """Ids for the events of a request, in their order: UUIDs that are the same whenever this request is sent again."""
    return (str(uuid.uuid5(_REQUESTS, f"{request}/{number}")) for number in count())


def _text(identifier: object, field: str) -> str:
    text = str(identifier)
    if len(text) > _MAX_ID:
        raise EventRejected("invalid", f"{field}: expected at most {_MAX_ID} digits.", field)
    return text


def _address(url: str, field: str, also: tuple[str, ...]) -> str:
    kept = kept_address(url, also)
    if len(kept) > _MAX_ADDRESS:
        raise EventRejected("invalid", f"{field}: expected at most {_MAX_ADDRESS} characters of what is kept.", field)
    return kept


def _type_needed(role: str) -> EventRejected:
    return EventRejected("invalid", f"{role}Type: needed where {role}Id is given.", f"{role}Type")


def _server_key_needed(field: str) -> EventRejected:
    return EventRejected("server_key_needed", f"{field}: only the site's server key may say it.", field)
