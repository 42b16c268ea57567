"""Segment's messages become events, field by field."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from event_stream.event import Event
from ingest_api.errors import EventRejected
from ingest_api.segment import KINDS, read_message
from tests.ingest_api.conftest import NOW, Api

SERVER = {"authorization": "Basic " + base64.b64encode(b"sk_example:").decode()}
PAGE = {"authorization": "Basic " + base64.b64encode(b"pk_example:").decode()}
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # However busy the machine is.
CONTEXT = {
    "ip": "203.0.113.9",
    "userAgent": "Firefox",
    "locale": "de-DE",
    "screen": {"width": 1440.0, "height": 900},
    "page": {"url": "https://example.com/a?utm_source=x&q=secret", "referrer": "https://example.org/", "title": "A"},
    "library": {"name": "analytics-node"},
    "timezone": "Europe/Berlin",
}


def send(api: Api, kind: str, message: dict[str, Any], headers: dict[str, str] = SERVER) -> Event:
    answer = api.request("POST", f"/v1/{kind}", json=message, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    return api.events()[-1]


def properties(event: Event) -> Any:
    return json.loads(bytes(event.properties) or b"{}")


def test_a_track_call_is_the_action_of_a_user(api: Api) -> None:
    event = send(
        api,
        "track",
        {
            "event": "Order Completed",
            "userId": "u-1",
            "anonymousId": "a-1",
            "messageId": "node-next-1732-abc",
            "timestamp": "2026-11-24T11:59:00.000Z",
            "properties": {"total": 30},
            "context": CONTEXT,
            "integrations": {"All": True},
        },
    )
    assert (event.event_id, event.action, event.site) == ("node-next-1732-abc", "Order Completed", "example.com")
    assert (event.user_id, event.visitor_id, event.object_type, event.object_id) == ("u-1", "a-1", "user", "u-1")
    assert event.occurred_at == NOW - 60_000_000
    assert (event.url, event.referrer, event.title) == (
        "https://example.com/a?utm_source=x",
        "https://example.org/",
        "A",
    )
    assert (event.language, event.screen_width, event.user_agent) == ("de-DE", 1440, "Firefox")
    assert properties(event) == {"total": 30}


def test_a_page_call_is_a_page_view_and_its_properties_keep_no_address(api: Api) -> None:
    event = send(
        api,
        "page",
        {
            "name": "Home",
            "category": "Docs",
            "anonymousId": "a-1",
            "properties": {
                "url": "https://example.com/b?q=1",
                "path": "/b",
                "search": "?q=1",
                "title": "B",
                "plan": "pro",
            },
            "context": CONTEXT,
        },
    )
    assert (event.action, event.subject_type, event.subject_id) == ("pageview", "page", "/b")
    assert (event.url, event.title) == ("https://example.com/b", "B")
    assert properties(event) == {"plan": "pro", "name": "Home", "category": "Docs"}
    assert (event.object_type, event.object_id) == ("visitor", "a-1")


@pytest.mark.parametrize(
    "said", [{"properties": {"path": "/b?q=1"}}, {"context": {"page": {"path": "/b", "search": "?q=1"}}}]
)
def test_a_page_call_of_a_server_that_says_only_the_path_is_a_view_of_that_page(api: Api, said: dict[str, Any]) -> None:
    event = send(api, "page", {"userId": "u", **said})
    assert (event.url, event.subject_type, event.subject_id) == ("/b", "page", "/b")
    assert properties(event) == {}


def test_an_empty_user_id_is_nobody(api: Api) -> None:
    event = send(api, "track", {"event": "x", "userId": "", "anonymousId": "a"})
    assert (event.user_id, event.visitor_id, event.object_type) == (None, "a", "visitor")


def test_an_empty_anonymous_id_is_nobody(api: Api) -> None:
    event = send(api, "track", {"event": "x", "userId": "u", "anonymousId": ""})
    assert (event.user_id, event.visitor_id) == ("u", "u")


def test_who_names_only_a_user_is_that_visitor(api: Api) -> None:
    assert send(api, "track", {"event": "x", "userId": 7}).visitor_id == "7"


@pytest.mark.parametrize(
    ("kind", "message", "kept"),
    [
        ("identify", {"traits": {"plan": "pro"}}, {"plan": "pro"}),
        ("screen", {"name": "Main", "properties": {"a": 1}}, {"name": "Main", "properties": {"a": 1}}),
        ("group", {"groupId": "g", "traits": {"b": 2}}, {"groupId": "g", "traits": {"b": 2}}),
        ("alias", {"previousId": "old"}, {"previousId": "old"}),
    ],
)
def test_the_other_calls_are_actions_of_their_name(api: Api, kind: str, message: dict[str, Any], kept: Any) -> None:
    event = send(api, kind, {"userId": "u", **message})
    assert event.action == kind
    assert properties(event) == kept


def test_a_campaign_reaches_the_address_that_has_none(api: Api) -> None:
    campaign = {"name": "spring", "source": "mail", "medium": "email"}
    page = {"url": "https://example.com/a?x=1#top"}
    event = send(api, "track", {"event": "x", "userId": "u", "context": {"campaign": campaign, "page": page}})
    assert event.url == "https://example.com/a?utm_campaign=spring&utm_source=mail&utm_medium=email"
    event = send(api, "track", {"event": "x", "userId": "u", "context": {"campaign": campaign}})
    assert properties(event) == {"campaign": campaign}
    unsaid = {"name": None, "source": "mail", "term": ""}
    event = send(api, "track", {"event": "x", "userId": "u", "context": {"campaign": unsaid, "page": page}})
    assert event.url == "https://example.com/a?utm_source=mail"


def test_a_page_may_not_say_address_and_user_agent_and_is_not_refused_for_it(api: Api) -> None:
    event = send(api, "track", {"event": "x", "anonymousId": "a", "context": CONTEXT}, PAGE)
    assert event.user_agent is None


def test_a_batch_hands_its_context_and_clock_on_and_tells_what_was_rejected(api: Api) -> None:
    batch = {
        "batch": [
            {"type": "track", "event": "a", "userId": "u", "messageId": "1", "timestamp": "2026-11-24T10:00:00Z"},
            {"type": "nothing", "userId": "u"},
            {"type": "track", "event": "c", "userId": "u", "messageId": "3", "context": {"locale": "fr"}},
        ],
        "sentAt": "2026-11-24T10:01:00Z",
        "context": {"locale": "de"},
    }
    answer = api.request("POST", "/v1/batch", json=batch, headers=SERVER)
    assert answer.json()["accepted"] == 2
    (rejected,) = answer.json()["rejected"]
    assert (rejected["index"], rejected["field"]) == (1, "type")
    by_id = {event.event_id: event for event in api.events()}
    assert by_id["1"].occurred_at == NOW - 60_000_000, "the clock of the client is two hours late"
    assert (by_id["1"].language, by_id["3"].language) == ("de", "fr")
    assert [json.loads(kept.body) for kept in api.rejections()] == [{"type": "nothing", "userId": "u"}]


@pytest.mark.parametrize(
    ("written", "kept"),
    [(r'"half \ud83c"', "half ?"), ("NaN", None), ("-Infinity", None), ('"\U0001f389"', "\U0001f389")],
)
def test_what_a_language_writes_though_it_is_no_json_costs_no_message_of_the_batch(
    api: Api, written: str, kept: str | None
) -> None:
    message = '{"type": "track", "event": "x", "userId": "u", "messageId": "%s", "properties": {"said": %s}}'
    body = '{"batch": [%s, %s]}' % (message % (1, written), message % (2, 7))  # noqa: UP031 - the text is full of braces
    answer = api.request("POST", "/v1/batch", content=body.encode(), headers=SERVER)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert {event.event_id: properties(event)["said"] for event in api.events()} == {"1": kept, "2": 7}
    assert api.request("POST", "/v1/track", content=(message % (3, written)).encode(), headers=SERVER).is_success


def test_a_body_that_is_no_json_at_all_is_refused(api: Api) -> None:
    answer = api.request("POST", "/v1/batch", content=b'{"batch": [', headers=SERVER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "undecodable")


def test_a_message_that_is_too_large_is_told_apart_in_its_batch(api: Api) -> None:
    large = {"type": "track", "event": "x", "userId": "u", "properties": {"said": "x" * 300_000}}
    batch = {"batch": [large, {"type": "track", "event": "x", "userId": "u"}]}
    answer = api.request("POST", "/v1/batch", json=batch, headers=SERVER)
    assert answer.json()["accepted"] == 1
    assert [(rejected["index"], rejected["reason"]) for rejected in answer.json()["rejected"]] == [(0, "too_large")]


def test_a_batch_of_nothing_but_commas_is_not_split(api: Api) -> None:
    body = b'{"batch": [' + b"0," * 100_000 + b"0]}"
    answer = api.request("POST", "/v1/batch", content=body, headers=SERVER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_events")


def test_a_browser_may_put_its_key_into_the_body(api: Api) -> None:
    message = {"event": "x", "anonymousId": "a", "writeKey": "pk_example"}
    headers = {"origin": "https://example.com", "content-type": "text/plain"}
    assert send(api, "track", message, headers).site == "example.com"


def test_a_wrong_key_is_401_and_a_rule_is_told_by_segments_names(api: Api) -> None:
    wrong = {"authorization": "Basic " + base64.b64encode(b"sk_wrong:").decode()}
    assert api.request("POST", "/v1/track", json={"event": "x"}, headers=wrong).status_code == 401
    answer = api.request("POST", "/v1/track", json={"event": "x", "messageId": "m" * 300}, headers=SERVER)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "messageId"
    assert "messageId" in answer.json()["error"]["message"]


@pytest.mark.parametrize("field", ["type", "properties", "traits", "context"])
def test_a_part_of_another_kind_is_told_by_its_name(field: str) -> None:
    with pytest.raises(EventRejected) as rejected:
        read_message(json.dumps({"type": "track", "event": "x", field: 5}).encode(), server=True)
    assert rejected.value.field == field
    assert rejected.value.message.startswith(f"{field}: Expected ")


def test_however_deep_a_message_is_it_is_an_event_or_rejected() -> None:
    rejected = 0
    for kind in KINDS:
        for depth in range(800, 1_000):
            nested = '{"a":' * depth + "1" + "}" * depth
            message = f'{{"event": "x", "properties": {nested}, "traits": {nested}}}'
            try:
                read_message(message.encode(), server=True, kind=kind)
            except EventRejected:
                rejected += 1
    assert rejected, "the depth at which reading gives up was tried"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*CONTEXT, "url", "name"]), inner),
    max_leaves=6,
)
FIELDS = ["type", "event", "messageId", "userId", "anonymousId", "timestamp", "properties", "traits", "context", "name"]


@LAW
@given(st.dictionaries(st.sampled_from(FIELDS), json_values), st.sampled_from([None, *KINDS]), st.booleans())
def test_any_message_is_an_event_or_rejected(message: dict[str, Any], kind: str | None, server: bool) -> None:
    try:
        assert read_message(json.dumps(message).encode(), server=server, kind=kind).action
    except EventRejected as rejection:
        assert rejection.message


@LAW
@given(st.binary(max_size=200))
def test_any_body_is_an_event_or_rejected(body: bytes) -> None:
    try:
        read_message(body, server=True)
    except EventRejected as rejection:
        assert rejection.message
