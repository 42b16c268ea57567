"""POST /batch: every event has its own result."""

import json
from typing import Any

import pytest

from tests.ingest_api.conftest import SEED, Api

THREE: list[Any] = [{"action": "a", "eventId": "1"}, {"action": ""}, {"action": "c", "eventId": "3"}]


def bodies() -> list[tuple[str, bytes, str]]:
    lines = b"\n".join(json.dumps(event).encode() for event in THREE)
    return [
        ("array", json.dumps(THREE).encode(), "application/json"),
        ("object", json.dumps({"batch": THREE}).encode(), "text/plain"),
        ("indented", json.dumps({"batch": THREE}, indent=2).encode(), "application/json"),
        ("lines", lines, "application/x-ndjson"),
        ("lines with blank ones", b"\n" + lines.replace(b"\n", b"\r\n\r\n") + b"\n", "application/x-ndjson"),
        ("lines of unknown type", lines + b"\n", "text/plain"),
    ]


@pytest.mark.parametrize(("body", "content_type"), [body[1:] for body in bodies()], ids=[body[0] for body in bodies()])
def test_each_form_of_a_batch_is_read_and_each_event_answered(api: Api, body: bytes, content_type: str) -> None:
    answer = api.request("POST", "/batch", content=body, headers={"content-type": content_type})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    (rejected,) = answer.json()["rejected"]
    assert (rejected["index"], rejected["field"], rejected["reason"]) == (1, "action", "invalid")
    assert sorted(event.event_id for event in api.events()) == ["1", "3"]
    assert len(api.rejections()) == 1


def test_a_batch_of_only_rejected_events_is_202_since_all_are_kept(api: Api) -> None:
    answer = api.batch([1, None, {"eventId": "x", "raw": "not a line"}])
    assert answer.status_code == 202
    assert [rejected["reason"] for rejected in answer.json()["rejected"]] == ["invalid", "invalid", "unparsed_line"]
    assert [kept.body for kept in api.rejections()] == [b"1", b"null", b"not a line"]


def test_an_empty_batch_is_accepted(api: Api) -> None:
    assert api.batch([]).json() == {"accepted": 0, "rejected": []}


def test_one_broken_line_does_not_spoil_the_others(api: Api) -> None:
    answer = api.request(
        "POST",
        "/batch",
        content=b'{"action":"a"}\n{"action":\n{"action":"c"}',
        headers={"content-type": "application/x-ndjson"},
    )
    assert answer.json()["accepted"] == 2
    assert answer.json()["rejected"][0]["reason"] == "undecodable"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "undecodable"),
        (b"[{}", "undecodable"),
        (b'{"batch": [{"action": "x"}', "undecodable"),
        (b'{"batch": 1}', "invalid"),
        (b'"text"', "invalid"),
        (b"1", "invalid"),
    ],
)
def test_a_body_that_is_no_batch_is_400_and_kept(api: Api, body: bytes, code: str) -> None:
    answer = api.request("POST", "/batch", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert [kept.body for kept in api.rejections()] == [body]


def test_a_batch_past_the_bound_is_refused_whole(api: Api) -> None:
    answer = api.batch([SEED] * 101)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_many_events"
    assert api.events() == []


def test_one_event_that_is_not_durable_makes_the_whole_batch_503(api: Api) -> None:
    api.stream.available = False
    answer = api.batch([SEED, {"action": ""}])
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_a_batch_with_an_event_of_another_site_is_refused_whole(api: Api) -> None:
    answer = api.batch([SEED, {"action": "x", "site": "localhost"}], authorization="Bearer sk_example")
    assert answer.status_code == 403
    assert answer.json()["error"]["field"] == "site"
    assert api.events() == []


def test_a_server_key_writes_history_for_many_visitors(api: Api) -> None:
    events = [
        {"action": "pageview", "datetimeStamp": 1431857100, "clientIp": f"192.0.2.{n}", "userAgent": "Firefox"}
        for n in (1, 2)
    ]
    assert api.batch(events, authorization="Bearer sk_example").json()["accepted"] == 2
    first, second = api.events()
    assert first.occurred_at == second.occurred_at == 1_431_857_100_000_000
    assert not first.clock_adjusted
    assert first.user_agent == "Firefox"
    assert first.visitor_id != second.visitor_id


def test_half_a_character_or_a_nan_costs_no_event(api: Api) -> None:
    body = b'[{"action":"a","title":"cut \\ud83c"},{"action":"b","properties":{"x":NaN}},{"action":"c"}]'
    assert api.request("POST", "/batch", content=body).json() == {"accepted": 3, "rejected": []}
    by_action = {event.action: event for event in api.events()}
    assert by_action["a"].title == "cut ?"
    assert json.loads(bytes(by_action["b"].properties)) == {"x": None}
    lines = b'{"action":"d","title":"cut \\ud83c"}\n{"action":"e"}'
    assert api.request("POST", "/batch", content=lines).json()["accepted"] == 2
    assert api.request("POST", "/track", content=b'{"action":"f","title":"cut \\ud83c"}').status_code == 202
