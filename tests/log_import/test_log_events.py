"""What a line becomes: ids that last, visitors of a day, and no address of a client."""

import json
from base64 import b64decode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_stream.event import Event
from logektor.log_events import MAX_SUBJECT_CHARACTERS, MAX_USER_AGENT_CHARACTERS, LineEvents
from sites import Site

BERLIN = Site("example.com", ("pk",), ("sk",), "Europe/Berlin")
KEY = b"k" * 32


def line(
    client: str = "203.0.113.9", when: str = "17/May/2015:10:05:03 +0000", path: str = "/a", agent: str = "M"
) -> bytes:
    return f'{client} - - [{when}] "GET {path} HTTP/1.1" 200 5 "http://from.example/" "{agent}"'.encode()


def events_of(*lines: bytes, site: Site = BERLIN, key: bytes = KEY) -> list[dict[str, Any]]:
    events = LineEvents(site, key)
    return [json.loads(events.encode(each).event) for each in lines]


def test_a_line_becomes_an_event_without_the_clients_address() -> None:
    (event,) = events_of(line(path="/a/b.html?q=1"))
    visitor = event.pop("visitorId")
    assert len(visitor) == 32
    assert event == {
        # The id is golden: with another one, a log imported before would be counted again.
        "eventId": "42f824dc-b790-5d9a-be28-ee264ea0ceda",
        "site": "example.com",
        "action": "pageview",
        "datetimeStamp": "2015-05-17T10:05:03Z",
        "subjectType": "page",
        "subjectId": "/a/b.html",
        "url": "https://example.com/a/b.html?q=1",
        "referrer": "http://from.example/",
        "userAgent": "M",
        "properties": {"status": 200, "method": "GET", "bytes": 5},
    }


def test_identical_lines_are_events_of_their_own() -> None:
    ids = [event["eventId"] for event in events_of(line(), line(path="/b"), line(), line())]
    assert len(set(ids)) == 4


@given(st.lists(st.sampled_from([line(), line(path="/b"), b"junk", b""])), st.integers(0, 20))
def test_lines_that_are_skipped_leave_the_ids_after_them_as_they_were(lines: list[bytes], skipped: int) -> None:
    events = LineEvents(BERLIN, KEY)
    for each in lines[:skipped]:
        events.skip(each)
    resumed = [json.loads(events.encode(each).event)["eventId"] for each in lines[skipped:]]
    assert resumed == [event["eventId"] for event in events_of(*lines)][skipped:]


def test_another_site_gives_other_ids() -> None:
    (one,), (other,) = events_of(line()), events_of(line(), site=Site("example.org", ("pk",), ("sk",)))
    assert one["eventId"] != other["eventId"]


def test_a_visitor_is_address_and_user_agent_within_a_day_of_the_site() -> None:
    late, midnight = "17/May/2015:21:59:59 +0000", "17/May/2015:22:00:00 +0000"
    same, again, next_day, elsewhere, other_agent = (
        event["visitorId"]
        for event in events_of(
            line(when=late, path="/a"),
            line(when="16/May/2015:22:00:00 +0000", path="/b"),
            line(when=midnight),
            line(client="203.0.113.8", when=late),
            line(agent="N", when=late),
        )
    )
    assert same == again
    assert len({same, next_day, elsewhere, other_agent}) == 4


def test_visitors_cannot_be_told_without_the_key() -> None:
    (one,), (other,) = events_of(line()), events_of(line(), key=b"x" * 32)
    assert one["visitorId"] != other["visitorId"]
    assert one["eventId"] == other["eventId"]


def test_an_unreadable_line_is_sent_as_it_is() -> None:
    events = LineEvents(BERLIN, KEY)
    encoded = events.encode("schön, aber kein Log".encode())
    event = json.loads(encoded.event)
    assert set(event) == {"eventId", "site", "raw"}
    assert event["raw"] == "schön, aber kein Log"
    assert encoded.trouble == "not in the common or combined log format"


@given(st.binary())
def test_no_byte_of_an_unreadable_line_is_lost(raw: bytes) -> None:
    (event,) = events_of(raw)
    kept = event["raw"].encode() if "raw" in event else b64decode(event["rawBase64"])
    assert kept == raw


def test_what_is_longer_than_an_event_may_hold_is_cut_but_for_the_url() -> None:
    path, agent = "/" + "x" * 2_000, "M" * 2_000
    (event,) = events_of(line(path=path, agent=agent))
    assert event["subjectId"] == path[:MAX_SUBJECT_CHARACTERS]
    assert event["userAgent"] == agent[:MAX_USER_AGENT_CHARACTERS]
    assert event["url"].endswith(path)


@pytest.mark.parametrize(
    ("field", "bound"), [("subjectId", MAX_SUBJECT_CHARACTERS), ("userAgent", MAX_USER_AGENT_CHARACTERS)]
)
def test_the_bounds_are_the_events_own(field: str, bound: int) -> None:
    fields = {"eventId": "1", "site": "s", "action": "a", "objectType": "o", "occurredAt": 0, "receivedAt": 0}
    event = {**fields, "ingestVersion": 1, "subjectType": "page"}
    msgspec.convert({**event, field: "x" * bound}, Event)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**event, field: "x" * (bound + 1)}, Event)
