"""From what a site sent to the event that travels."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from event_stream.codec import decode_event
from ingest_api.admission import Grant
from ingest_api.countries import Countries
from ingest_api.errors import EventRejected
from ingest_api.salts import Salts
from ingest_api.tracked_event import TrackedEvent, claimed_site, read_tracked_event
from ingest_api.validation import Sender, Stamper, encode_bounded, hashed_visitor, new_event_id
from sites import Site
from tests.ingest_api.conftest import NOW

SITE = Site("example.com", ("pk",), ("sk",), "Europe/Berlin")
PAGE = Sender("192.0.2.7", "Firefox", "https://example.com", None, NOW)
SERVER = Sender("192.0.2.7", "curl", None, None, NOW)

texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def stamper(tmp_path: Path) -> Stamper:
    return Stamper(Salts(tmp_path), Countries(None))


def tracked(**fields: Any) -> TrackedEvent:
    return read_tracked_event(json.dumps({"action": "x", **fields}).encode())


@pytest.mark.parametrize(
    ("fields", "visitor_id"),
    [
        ({"visitorId": "v", "userId": "u", "objectType": "user", "objectId": "o"}, "v"),
        ({"userId": 7, "objectType": "user", "objectId": "o"}, "7"),
        ({"objectType": "user", "objectId": 2}, "2"),
        ({"objectType": "visitor", "objectId": "o"}, "o"),
    ],
)
@pytest.mark.parametrize("sender", [PAGE, SERVER])
def test_a_visitor_is_who_the_site_says(
    stamper: Stamper, fields: dict[str, Any], visitor_id: str, sender: Sender
) -> None:
    assert stamper.stamp(tracked(**fields), Grant(SITE, False), sender).visitor_id == visitor_id


def test_a_visitor_nobody_names_is_the_same_all_day_and_another_one_elsewhere(stamper: Stamper) -> None:
    def visitor(sender: Sender, site: Site = SITE) -> str | None:
        return stamper.stamp(tracked(), Grant(site, False), sender).visitor_id

    of_page = visitor(PAGE)
    assert of_page is not None
    assert len(of_page) == 32
    assert visitor(replace(PAGE, received_at=NOW + 3_600_000_000)) == of_page
    assert visitor(replace(SERVER, user_agent="Firefox")) == of_page
    others = [
        visitor(replace(PAGE, received_at=NOW + 24 * 3_600_000_000)),
        visitor(replace(PAGE, ip="192.0.2.8")),
        visitor(replace(PAGE, user_agent="Safari")),
        visitor(PAGE, Site("other.test", ("a",), ("b",), "Europe/Berlin")),
    ]
    assert len({of_page, *others}) == 5


def test_a_hash_does_not_confuse_what_it_is_made_of() -> None:
    assert hashed_visitor(b"s", "a", "b", "c") != hashed_visitor(b"s", "a", "bc", None)


def test_a_server_that_names_another_actor_makes_no_visitor(stamper: Stamper) -> None:
    event = stamper.stamp(tracked(objectType="company", objectId=7), Grant(SITE, False), SERVER)
    assert (event.visitor_id, event.user_agent) == (None, None)
    assert (event.object_type, event.object_id) == ("company", "7")


def test_a_server_that_names_nobody_is_the_visitor_itself(stamper: Stamper) -> None:
    event = stamper.stamp(tracked(), Grant(SITE, False), SERVER)
    assert event.user_agent == "curl"
    assert event.object_id == event.visitor_id is not None


def test_a_server_key_says_whom_it_speaks_for(stamper: Stamper) -> None:
    said = tracked(clientIp="192.0.2.7", userAgent="Firefox")
    event = stamper.stamp(said, Grant(SITE, True), replace(SERVER, ip="198.51.100.1"))
    assert event.user_agent == "Firefox"
    assert event.visitor_id == stamper.stamp(tracked(), Grant(SITE, False), PAGE).visitor_id


def test_a_user_agent_without_an_address_is_nobody(stamper: Stamper) -> None:
    event = stamper.stamp(tracked(userAgent="Firefox"), Grant(SITE, True), SERVER)
    assert (event.visitor_id, event.user_agent, event.object_type) == (None, "Firefox", "visitor")


def test_no_address_of_a_client_is_in_the_record(stamper: Stamper) -> None:
    of_page = encode_bounded(stamper.stamp(tracked(), Grant(SITE, False), PAGE))
    said = encode_bounded(stamper.stamp(tracked(clientIp="203.0.113.9"), Grant(SITE, True), SERVER))
    assert b"192.0.2.7" not in of_page + said
    assert b"203.0.113.9" not in said


def test_a_long_user_agent_is_cut_not_refused(stamper: Stamper) -> None:
    event = stamper.stamp(tracked(), Grant(SITE, False), replace(PAGE, user_agent="ä" * 5_000))
    assert event.user_agent == "ä" * 1_000


def test_a_page_with_a_long_path_is_still_a_page(stamper: Stamper) -> None:
    url = "https://example.com/" + "a" * 600
    event = stamper.stamp(tracked(action="pageview", url=url), Grant(SITE, False), PAGE)
    assert event.url == url
    assert event.subject_id == "/" + "a" * 499


def test_each_field_arrives_in_its_place(stamper: Stamper) -> None:
    said = {
        "eventId": "e-1",
        "action": "read",
        "objectType": "user",
        "objectId": "o-1",
        "subjectType": "article",
        "subjectId": "s-1",
        "datetimeStamp": NOW // 1_000_000 - 60,
        "visitorId": "v-1",
        "userId": "u-1",
        "sessionId": "session-1",
        "url": "https://example.com/a",
        "referrer": "https://example.org/b",
        "title": "A title",
        "language": "de",
        "screenWidth": 1440,
        "clientIp": "203.0.113.9",
        "userAgent": "Firefox",
        "properties": {"a": 1},
    }
    event = stamper.stamp(tracked(**said), Grant(SITE, True), SERVER)
    arrived = json.loads(encode_bounded(event))
    kept = {name: value for name, value in said.items() if name not in {"clientIp", "datetimeStamp"}}
    assert arrived == kept | {
        "site": "example.com",
        "occurredAt": NOW - 60_000_000,
        "receivedAt": NOW,
        "ingestVersion": 1,
    }


def test_ids_are_texts_however_they_came(stamper: Stamper) -> None:
    numbers = tracked(objectType="a", objectId=0, subjectType="b", subjectId=-1, sessionId=2**70)
    event = stamper.stamp(numbers, Grant(SITE, False), PAGE)
    assert (event.object_id, event.subject_id, event.session_id) == ("0", "-1", str(2**70))


def test_event_ids_of_the_server_are_unique_and_in_the_order_of_time() -> None:
    ids = [new_event_id(NOW + number * 1_000) for number in range(1_000)]
    assert len(set(ids)) == 1_000
    assert sorted(ids) == ids
    assert {(len(made), made[14], made[19] in "89ab") for made in ids} == {(36, "7", True)}


def test_an_explicit_null_is_an_absent_field(stamper: Stamper) -> None:
    nothing = {name: None for name in TrackedEvent.__struct_encode_fields__ if name != "action"}
    assert stamper.stamp(tracked(**nothing), Grant(SITE, False), PAGE).properties == tracked().properties


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.fixed_dictionaries(
        {"action": st.just("pageview") | st.text(max_size=220)},
        optional={
            name: st.text(max_size=30) | st.integers() | json_values
            for name in TrackedEvent.__struct_encode_fields__
            if name != "action"
        },
    ),
    st.booleans(),
    st.sampled_from([PAGE, SERVER]),
)
def test_what_is_accepted_is_never_a_dead_letter(
    stamper: Stamper, fields: dict[str, Any], server: bool, sender: Sender
) -> None:
    body = json.dumps(fields).encode()
    claimed_site(body)
    try:
        event = stamper.stamp(read_tracked_event(body), Grant(SITE, server), sender)
        value = encode_bounded(event)
    except EventRejected as rejection:
        assert rejection.message
    else:
        assert decode_event(value).event_id == event.event_id


@given(st.binary(max_size=300))
def test_any_body_is_an_event_or_rejected(body: bytes) -> None:
    claimed_site(body)
    try:
        read_tracked_event(body)
    except EventRejected as rejection:
        assert rejection.code in {"invalid", "undecodable", "unparsed_line"}
