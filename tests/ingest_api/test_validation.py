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
from ingest_api.errors import EventRejected
from ingest_api.salts import Salts
from ingest_api.tracked_event import TrackedEvent, claimed_site, read_tracked_event
from ingest_api.validation import Sender, encode_tracked, hashed_visitor, new_event_id, stamp
from sites import Site
from tests.ingest_api.conftest import NOW

SITE = Site("example.com", "pk", "sk", "Europe/Berlin")
PAGE = Sender("192.0.2.7", b"Firefox", "https://example.com", None, NOW)
SERVER = Sender("192.0.2.7", b"curl", None, None, NOW)

texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def salts(tmp_path: Path) -> Salts:
    return Salts(tmp_path)


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
def test_a_visitor_is_who_the_site_says(salts: Salts, fields: dict[str, Any], visitor_id: str, sender: Sender) -> None:
    assert stamp(tracked(**fields), Grant(SITE, False), sender, salts).visitor_id == visitor_id


def test_a_visitor_nobody_names_is_the_same_all_day_and_another_one_elsewhere(salts: Salts) -> None:
    def visitor(sender: Sender, site: Site = SITE) -> str | None:
        return stamp(tracked(), Grant(site, False), sender, salts).visitor_id

    of_page = visitor(PAGE)
    assert of_page is not None
    assert len(of_page) == 32
    assert visitor(replace(PAGE, received_at=NOW + 3_600_000_000)) == of_page
    assert visitor(replace(SERVER, user_agent=b"Firefox")) == of_page
    others = [
        visitor(replace(PAGE, received_at=NOW + 24 * 3_600_000_000)),
        visitor(replace(PAGE, ip="192.0.2.8")),
        visitor(replace(PAGE, user_agent=b"Safari")),
        visitor(PAGE, Site("other.test", "a", "b", "Europe/Berlin")),
    ]
    assert len({of_page, *others}) == 5


def test_a_hash_does_not_confuse_what_it_is_made_of() -> None:
    assert hashed_visitor(b"s", "a", "b", "c") != hashed_visitor(b"s", "a", "bc", None)


def test_a_server_that_names_another_actor_makes_no_visitor(salts: Salts) -> None:
    event = stamp(tracked(objectType="company", objectId=7), Grant(SITE, False), SERVER, salts)
    assert (event.visitor_id, event.user_agent) == (None, None)
    assert (event.object_type, event.object_id) == ("company", "7")


def test_a_server_that_names_nobody_is_the_visitor_itself(salts: Salts) -> None:
    event = stamp(tracked(), Grant(SITE, False), SERVER, salts)
    assert event.user_agent == "curl"
    assert event.object_id == event.visitor_id is not None


def test_a_server_key_says_whom_it_speaks_for(salts: Salts) -> None:
    said = tracked(clientIp="192.0.2.7", userAgent="Firefox")
    event = stamp(said, Grant(SITE, True), replace(SERVER, ip="198.51.100.1"), salts)
    assert event.user_agent == "Firefox"
    assert event.visitor_id == stamp(tracked(), Grant(SITE, False), PAGE, salts).visitor_id


def test_a_user_agent_without_an_address_is_nobody(salts: Salts) -> None:
    event = stamp(tracked(userAgent="Firefox"), Grant(SITE, True), SERVER, salts)
    assert (event.visitor_id, event.user_agent, event.object_type) == (None, "Firefox", "visitor")


def test_no_address_of_a_client_is_in_the_record(salts: Salts) -> None:
    _, of_page = encode_tracked(tracked(), Grant(SITE, False), PAGE, salts)
    _, said = encode_tracked(tracked(clientIp="203.0.113.9"), Grant(SITE, True), SERVER, salts)
    assert b"192.0.2.7" not in of_page + said
    assert b"203.0.113.9" not in said


def test_a_long_user_agent_is_cut_not_refused(salts: Salts) -> None:
    event = stamp(tracked(), Grant(SITE, False), replace(PAGE, user_agent=b"\xe4" * 5_000), salts)
    assert event.user_agent == "ä" * 1_000


def test_a_page_with_a_long_path_is_still_a_page(salts: Salts) -> None:
    url = "https://example.com/" + "a" * 600
    event = stamp(tracked(action="pageview", url=url), Grant(SITE, False), PAGE, salts)
    assert event.url == url
    assert event.subject_id == "/" + "a" * 499


def test_ids_are_texts_however_they_came(salts: Salts) -> None:
    numbers = tracked(objectType="a", objectId=0, subjectType="b", subjectId=-1, sessionId=2**70)
    event = stamp(numbers, Grant(SITE, False), PAGE, salts)
    assert (event.object_id, event.subject_id, event.session_id) == ("0", "-1", str(2**70))


def test_event_ids_of_the_server_are_unique_and_in_the_order_of_time() -> None:
    ids = [new_event_id(NOW + number * 1_000) for number in range(1_000)]
    assert len(set(ids)) == 1_000
    assert sorted(ids) == ids
    assert {(len(made), made[14], made[19] in "89ab") for made in ids} == {(36, "7", True)}


def test_an_explicit_null_is_an_absent_field(salts: Salts) -> None:
    nothing = {name: None for name in TrackedEvent.__struct_encode_fields__ if name != "action"}
    assert stamp(tracked(**nothing), Grant(SITE, False), PAGE, salts).properties == tracked().properties


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
    salts: Salts, fields: dict[str, Any], server: bool, sender: Sender
) -> None:
    body = json.dumps(fields).encode()
    claimed_site(body)
    try:
        event, value = encode_tracked(read_tracked_event(body), Grant(SITE, server), sender, salts)
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
