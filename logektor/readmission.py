"""What a dead letter would become today: a record of an event, or the same dead letter. No I/O.

A body that the collector refused goes through the collector's own rules again, on the site it was refused for. It
gets no more than it came with, and a dead letter does not hold all of that:

what is not known any more           what is taken for it
the client's address                 no visitor is told by it; no country
the User-Agent                       none
the key                              a public one: clientIp and userAgent stay refused, history is not believed
whether DNT or Sec-GPC was asked     that it was, where the site minds
which API the body was sent to       what its fields show: our own, a message of Segment, a payload of Plausible

A record that the worker could not read is decoded again, and sent as it is.
"""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn
from uuid import UUID, uuid5

import msgspec

from event_stream.codec import decode_event
from event_stream.errors import InvalidEvent
from event_stream.ports import OutgoingRecord
from event_stream.rejection import decode_rejection
from event_stream.topics import EVENTS, event_key
from ingest_api.admission import Grant
from ingest_api.almost_json import UNREADABLE, mended
from ingest_api.errors import EventRejected
from ingest_api.plausible import read_payload
from ingest_api.segment import KINDS, read_message
from ingest_api.tracked_event import TrackedEvent, read_tracked_event
from ingest_api.validation import Sender, Stamper, encode_bounded
from lake.dead_letters import DeadLetter
from sites import Site, Sites

_NAMESPACE = UUID("594666b1-ab15-488d-a95d-3bf7e878c7a9")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)

_object_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclasses.dataclass(frozen=True)
class StillInvalid:
    """Why a dead letter stays one: a reason for programs, a sentence for people."""

    reason: str
    detail: str


def readmit(letter: DeadLetter, sites: Sites) -> OutgoingRecord | StillInvalid:
    """The record of the event that a dead letter is by the rules and sites of now.

    It is the same each time. An event without an id of its own gets a UUIDv5 of the dead letter's place, and
    `received_at` stays that of the first time, so that it counts once, and on its own day, however often it is sent.
    """
    try:
        if letter.received_at is None:
            return _read_again(letter, sites)
        received_at = (letter.received_at - _EPOCH) // _MICRO
        return _refused_before(letter, letter.body, letter.body_length, letter.site, received_at, sites)
    except InvalidEvent as error:
        return StillInvalid(error.reason, error.detail)
    except EventRejected as error:
        return StillInvalid(error.code, error.message)


def _read_again(letter: DeadLetter, sites: Sites) -> OutgoingRecord:
    """A record that the worker could not read: of an event, or of a rejection. Raises InvalidEvent, EventRejected."""
    _require_whole(letter.body, letter.body_length)
    try:
        event = decode_event(letter.body)
    except InvalidEvent as no_event:
        try:
            rejection = decode_rejection(letter.body)
        except InvalidEvent:
            raise no_event from None
        return _refused_before(
            letter, rejection.body, rejection.body_length, rejection.site, rejection.received_at, sites
        )
    return OutgoingRecord(EVENTS.name, event_key(event.site, event.visitor_id), letter.body)


def _refused_before(
    letter: DeadLetter, body: bytes, body_length: int, domain: str | None, received_at: int, sites: Sites
) -> OutgoingRecord:
    """Raises EventRejected."""
    _require_whole(body, body_length)
    site = sites.by_domain(domain) if domain is not None else None
    if site is None:
        raise EventRejected("unknown_site", f"No site of sites.toml has the domain {domain}.", "site")
    tracked = _grammar(body)(body)
    if tracked.site is not None and tracked.site != site.domain:
        raise EventRejected("other_site", f"It was sent for {site.domain} and names another site.", "site")
    if site.do_not_track == "drop":
        raise EventRejected(
            "do_not_track", f"{site.domain} drops who asks not to be tracked; nobody knows any more who did."
        )
    if tracked.event_id is None:
        tracked = msgspec.structs.replace(tracked, event_id=_event_id(letter))
    sender = Sender("", None, None, None, received_at, asks_not_to_be_tracked=True)
    event = _stamper.stamp(tracked, Grant(_mindful(site, tracked), server=False), sender)
    return OutgoingRecord(EVENTS.name, event_key(event.site, event.visitor_id), encode_bounded(event))


def _require_whole(body: bytes, length: int) -> None:
    if len(body) < length:
        raise EventRejected("cut", f"Of its {length} bytes the first {len(body)} were kept.")


def _grammar(body: bytes) -> Callable[[bytes], TrackedEvent]:
    """How to read a body: no field of the others' that is asked for here is one of our own."""
    said = _fields(body)
    if "action" not in said:
        if said.get("type") in KINDS:
            return partial(read_message, server=False)
        if said.keys() & {"n", "name"} and said.keys() & {"d", "domain"}:
            return read_payload
    return read_tracked_event


def _fields(body: bytes) -> dict[str, Any]:
    try:
        return _object_decoder.decode(body)
    except msgspec.ValidationError:
        return {}
    except UNREADABLE:
        try:
            return _object_decoder.decode(mended(body))
        except (ValueError, *UNREADABLE):
            return {}


def _mindful(site: Site, tracked: TrackedEvent) -> Site:
    """Who names nobody has no visitor here whatever the site minds: there is no address to tell one by."""
    names_somebody = (tracked.visitor_id, tracked.user_id, tracked.object_id) != (None, None, None)
    return site if names_somebody else dataclasses.replace(site, do_not_track="anonymous")


def _event_id(letter: DeadLetter) -> str:
    return str(uuid5(_NAMESPACE, f"{letter.stream_id}/{letter.partition}/{letter.offset}"))


class _NoSalts:
    def of_day(self, time_zone: str, now: int) -> NoReturn:
        raise AssertionError("nobody is told by an address that is not known")


class _NoCountries:
    def of(self, ip: str) -> None:
        return None


_stamper = Stamper(_NoSalts(), _NoCountries())
