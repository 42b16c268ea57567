"""What Plausible's script sends becomes events."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_api.errors import EventRejected
from ingest_api.plausible import claimed_domain, read_payload
from tests.ingest_api.conftest import Api

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # However busy the machine is.
PAGE = {"origin": "https://example.com", "content-type": "text/plain", "user-agent": "Firefox"}


def send(api: Api, payload: dict[str, Any]) -> Any:
    answer = api.request("POST", "/api/event", content=json.dumps(payload).encode(), headers=PAGE)
    assert (answer.status_code, answer.text) == (202, "ok")
    return api.events()[-1]


def test_a_page_view(api: Api) -> None:
    event = send(
        api,
        {
            "n": "pageview",
            "u": "https://example.com/a?utm_source=x&q=1",
            "d": "example.com",
            "r": "https://example.org/",
            "w": 1440,
            "h": 1,
            "v": 24,
            "p": {"author": "me"},
        },
    )
    assert (event.action, event.site, event.subject_id) == ("pageview", "example.com", "/a")
    assert (event.url, event.referrer) == ("https://example.com/a?utm_source=x", "https://example.org/")
    assert (event.screen_width, event.user_agent) == (1440, "Firefox")
    assert json.loads(bytes(event.properties)) == {"author": "me"}
    assert event.visitor_id


def test_the_long_names_and_properties_as_text(api: Api) -> None:
    event = send(
        api,
        {
            "name": "Purchase",
            "url": "https://example.com/b",
            "domain": "example.com,other.test",
            "referrer": None,
            "props": '{"plan": "pro"}',
            "revenue": {"currency": "EUR", "amount": "9.99"},
            "interactive": False,
        },
    )
    assert (event.action, event.site) == ("Purchase", "example.com")
    revenue = {"currency": "EUR", "amount": "9.99"}
    assert json.loads(bytes(event.properties)) == {"plan": "pro", "revenue": revenue, "interactive": False}


def test_an_engagement_is_as_our_own_script_sends_it(api: Api) -> None:
    event = send(api, {"n": "engagement", "u": "https://example.com/a", "d": "example.com", "e": 5021, "sd": 87})
    assert event.action == "engagement"
    assert json.loads(bytes(event.properties)) == {"engagedMs": 5021, "scrollDepth": 87}


@pytest.mark.parametrize(
    ("payload", "field"), [({"u": "x"}, "name"), ({"n": "x", "p": 1}, "props"), ({"n": 1}, "name"), ({"n": ""}, "name")]
)
def test_what_breaks_a_rule_is_told_by_its_names_and_kept(api: Api, payload: dict[str, Any], field: str) -> None:
    body = json.dumps({"d": "example.com", **payload}).encode()
    answer = api.request("POST", "/api/event", content=body, headers=PAGE)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
    assert [(kept.site, kept.body) for kept in api.rejections()] == [("example.com", body)]


def test_another_sites_domain_is_refused(api: Api) -> None:
    body = json.dumps({"n": "pageview", "u": "https://example.com/", "d": "localhost"}).encode()
    assert api.request("POST", "/api/event", content=body, headers=PAGE).status_code == 403


def test_the_rule_is_told_by_the_payloads_name() -> None:
    with pytest.raises(EventRejected) as rejected:
        read_payload(b'{"n": "x", "d": "example.com", "w": "wide"}')
    assert (rejected.value.field, rejected.value.message.partition(":")[0]) == ("screen_width", "screen_width")


@pytest.mark.parametrize("properties", [r'{"said": "half \ud83c"}', json.dumps(r'{"said": "half \ud83c"}')])
def test_half_a_character_costs_no_event(properties: str) -> None:
    body = f'{{"n": "x", "d": "example.com", "p": {properties}}}'.encode()
    assert json.loads(bytes(read_payload(body).properties)) == {"said": "half ?"}
    assert claimed_domain(body) == "example.com"


def test_meta_of_older_scripts_is_read_where_there_are_no_props() -> None:
    assert json.loads(bytes(read_payload(b'{"n": "x", "p": null, "m": {"a": 1}}').properties)) == {"a": 1}


def test_a_payload_that_is_too_large_is_kept_with_its_site(api: Api) -> None:
    body = json.dumps({"n": "x", "d": "example.com", "p": {"said": "x" * 300_000}}).encode()
    answer = api.request("POST", "/api/event", content=body, headers=PAGE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert [(kept.site, kept.reason) for kept in api.rejections()] == [("example.com", "too_large")]


@pytest.mark.parametrize("field", ["p", "$"])
def test_however_deep_a_payload_is_it_is_an_event_or_rejected(field: str) -> None:
    rejected = 0
    for depth in range(800, 1_000):
        nested = '{"a":' * depth + "1" + "}" * depth
        for value in (nested, json.dumps(nested)):
            try:
                read_payload(f'{{"n": "x", "{field}": {value}}}'.encode())
            except EventRejected:
                rejected += 1
    assert rejected, "the depth at which reading gives up was tried"


values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.dictionaries(st.text(max_size=3), st.text())
)


@LAW
@given(st.dictionaries(st.sampled_from([*"nudrwpm$i", "e", "sd", "name", "props"]), values) | values)
def test_any_payload_is_an_event_or_rejected(payload: Any) -> None:
    body = json.dumps(payload).encode()
    claimed_domain(body)
    try:
        read_payload(body)
    except EventRejected as rejection:
        assert rejection.message
