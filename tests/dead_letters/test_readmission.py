"""What a dead letter would become today; the collector's rules are tested with the collector."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_stream.codec import decode_event, encode_event
from event_stream.event import INGEST_VERSION, Event
from event_stream.ports import OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, event_key
from lake.dead_letters import DeadLetter
from logektor.readmission import StillInvalid, readmit
from sites import Sites
from sites.site import DoNotTrack
from tests.dead_letters.stream import NOON, SITE, SITES

RECEIVED_AT = round(NOON.timestamp() * 1e6)


def letter(body: bytes, **fields: Any) -> DeadLetter:
    plain = DeadLetter(
        stream_id="cluster/rejected",
        partition=0,
        offset=7,
        landed_date=NOON.date(),
        landed_at=datetime(2026, 11, 21, tzinfo=UTC),
        reason="invalid",
        detail="",
        field=None,
        site=SITE.domain,
        received_at=NOON,
        body=body,
        body_length=len(body),
        body_sha256="",
    )
    return dataclasses.replace(plain, **fields)


def event_of(outcome: OutgoingRecord | StillInvalid) -> Event:
    assert isinstance(outcome, OutgoingRecord), outcome
    assert outcome.topic == EVENTS.name
    event = decode_event(outcome.value)
    assert outcome.key == event_key(event.site, event.visitor_id)
    return event


def reason_of(outcome: OutgoingRecord | StillInvalid) -> str:
    assert isinstance(outcome, StillInvalid), outcome
    assert outcome.detail
    return outcome.reason


def sites(do_not_track: DoNotTrack) -> Sites:
    return Sites([dataclasses.replace(SITE, do_not_track=do_not_track)])


def body(**fields: Any) -> bytes:
    return json.dumps({"action": "pageview", **fields}).encode()


def test_a_body_becomes_an_event_of_its_site_and_of_the_time_it_was_received() -> None:
    event = event_of(readmit(letter(body(url="https://shop.example/a?token=1")), SITES))
    assert (event.site, event.action, event.url) == (SITE.domain, "pageview", "https://shop.example/a")
    assert event.received_at == event.occurred_at == RECEIVED_AT


def test_the_id_is_the_bodys_or_follows_from_the_place_alone() -> None:
    assert event_of(readmit(letter(body(eventId="mine")), SITES)).event_id == "mine"
    first, again = (event_of(readmit(letter(body()), SITES)).event_id for _ in range(2))
    assert first == again
    assert UUID(first).version == 5
    others = [letter(body(), offset=8), letter(body(), partition=1), letter(body(), stream_id="cluster/anew")]
    assert len({first, *(event_of(readmit(other, SITES)).event_id for other in others)}) == 4


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"objectId": True}, "invalid"),
        ({"clientIp": "203.0.113.9"}, "server_key_needed"),
        ({"userAgent": "x"}, "server_key_needed"),
        ({"site": "blog.example"}, "other_site"),
    ],
)
def test_a_body_gets_no_more_than_a_public_key_would_give_it(fields: dict[str, object], reason: str) -> None:
    assert reason_of(readmit(letter(body(**fields)), SITES)) == reason


def test_history_is_not_believed() -> None:
    event = event_of(readmit(letter(body(datetimeStamp=1_000_000_000)), SITES))
    assert (event.occurred_at, event.clock_adjusted) == (RECEIVED_AT, True)


def test_nobody_is_told_by_an_address_that_is_not_known() -> None:
    for policy in ("anonymous", "ignore"):
        event = event_of(readmit(letter(body()), sites(policy)))
        assert (event.visitor_id, event.object_id, event.user_agent, event.country) == (None, None, None, None)


def test_who_may_have_asked_not_to_be_tracked_is_not_where_the_site_minds() -> None:
    named = letter(body(userId="u", visitorId="v", sessionId="s"))
    event = event_of(readmit(named, sites("anonymous")))
    assert (event.user_id, event.visitor_id, event.session_id) == (None, None, None)
    event = event_of(readmit(named, sites("ignore")))
    assert (event.user_id, event.visitor_id, event.session_id) == ("u", "v", "s")
    assert reason_of(readmit(named, sites("drop"))) == "do_not_track"


def test_a_site_that_is_gone_gets_no_events() -> None:
    assert reason_of(readmit(letter(body()), Sites([]))) == "unknown_site"
    assert reason_of(readmit(letter(body(), site=None), SITES)) == "unknown_site"


def test_what_was_cut_stays() -> None:
    assert reason_of(readmit(letter(body(), body_length=70_000), SITES)) == "cut"
    assert reason_of(readmit(letter(body(), body_length=70_000, received_at=None), SITES)) == "cut"


def test_a_message_of_segment_and_a_payload_of_plausible_are_read_as_such() -> None:
    segment = {"type": "track", "event": "buy", "messageId": "m", "properties": {"plan": "pro"}}
    event = event_of(readmit(letter(json.dumps(segment).encode()), SITES))
    assert (event.action, event.event_id, bytes(event.properties)) == ("buy", "m", b'{"plan":"pro"}')
    plausible = rb'{"n":"pageview","u":"https://shop.example/\ud83d","d":"shop.example"}'
    assert event_of(readmit(letter(plausible), SITES)).url == "https://shop.example/"


@pytest.mark.parametrize("nothing", [b"", b"[]", b"null", b"\xff", b'{"type":["track"]}', b"[" * 60_000, b"1e999"])
def test_what_is_no_event_stays_whatever_it_is(nothing: bytes) -> None:
    assert reason_of(readmit(letter(nothing), SITES)) in {"invalid", "undecodable"}
    assert reason_of(readmit(letter(nothing, received_at=None, site=None), SITES)) in {"invalid", "undecodable"}


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
_NAMES = st.sampled_from(
    ["action", "site", "type", "n", "d", "name", "domain", "event", "objectId", "datetimeStamp", "url", "properties"]
)


@settings(max_examples=300, deadline=None)
@given(st.binary() | st.dictionaries(_NAMES | st.text(), _VALUES).map(lambda said: json.dumps(said).encode()))
def test_whatever_a_body_is_it_is_sent_as_an_event_or_stays(anything: bytes) -> None:
    for read in (letter(anything), letter(anything, received_at=None, site=None)):
        outcome = readmit(read, SITES)
        if isinstance(outcome, OutgoingRecord):
            event_of(outcome)
        else:
            reason_of(outcome)


EVENT = Event("id", SITE.domain, "pageview", "visitor", RECEIVED_AT, RECEIVED_AT, INGEST_VERSION, visitor_id="v")


def test_a_record_that_is_readable_by_now_is_sent_as_it_is() -> None:
    value = encode_event(EVENT)[:-1] + b',"ofANewerCollector":1}'
    outcome = readmit(letter(value, received_at=None, site=None), SITES)
    assert outcome == OutgoingRecord(EVENTS.name, event_key(SITE.domain, "v"), value)


def test_a_client_cannot_pass_its_body_off_as_a_record() -> None:
    assert reason_of(readmit(letter(encode_event(EVENT)), SITES)) == "invalid"


def test_a_rejection_that_is_readable_by_now_is_looked_into() -> None:
    rejection = Rejection.of(body(), reason="invalid", detail="", site=SITE.domain, received_at=RECEIVED_AT)
    value = encode_rejection(rejection)
    assert event_of(readmit(letter(value, received_at=None, site=None), SITES)).received_at == RECEIVED_AT
    cut = encode_rejection(msgspec.structs.replace(rejection, body_length=70_000))
    assert reason_of(readmit(letter(cut, received_at=None, site=None), SITES)) == "cut"


def test_an_unknown_version_stays() -> None:
    value = encode_event(EVENT).replace(b'"ingestVersion":1', b'"ingestVersion":2')
    assert reason_of(readmit(letter(value, received_at=None, site=None), SITES)) == "unknown_version"
