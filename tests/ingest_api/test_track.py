"""POST /track, from the request to the record."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.ingest_api.conftest import NOW, SEED, Api


def test_the_first_payload_works_unchanged(api: Api) -> None:
    answer = api.track(SEED)
    event = api.event()
    assert answer.status_code == 202
    assert answer.json() == {"eventId": event.event_id}
    assert (event.object_type, event.object_id, event.action) == ("user", "2", "view")
    assert (event.subject_type, event.subject_id, event.site) == ("article", "2", "localhost")


def test_an_event_that_names_its_actor_keeps_nothing_of_the_server_that_sent_it(api: Api) -> None:
    api.track(SEED, user_agent="curl/8")
    assert api.event().visitor_id == "2"
    assert api.event().user_agent is None


def test_a_time_long_ago_is_not_believed(api: Api) -> None:
    api.track(SEED)
    assert api.event().occurred_at == api.event().received_at == NOW
    assert api.event().clock_adjusted


def test_nothing_is_202_before_it_is_durable(api: Api) -> None:
    api.stream.available = False
    answer = api.track(SEED)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error"]["code"] == "not_durable"
    api.stream.available = True
    assert api.track(SEED).status_code == 202


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"],
)
def test_json_is_read_whatever_simple_clients_call_it(api: Api, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = api.request("POST", "/track", content=b'{"action": "x"}', headers=headers)
    assert answer.status_code == 202


def test_an_event_from_a_page_is_its_visitors(api: Api) -> None:
    api.track({"action": "signup"}, origin="https://www.example.com", user_agent="Firefox")
    event = api.event()
    assert event.site == "example.com"
    assert event.object_type == "visitor"
    assert event.object_id == event.visitor_id
    assert event.user_agent == "Firefox"


def test_a_page_view_is_of_the_page_that_its_address_names(api: Api) -> None:
    api.track({"action": "pageview", "url": "https://example.com/a/b?token=secret&utm_source=news#part"})
    assert (api.event().subject_type, api.event().subject_id) == ("page", "/a/b")
    assert api.event().url == "https://example.com/a/b?utm_source=news"


def test_an_event_keeps_its_id_over_retries(api: Api) -> None:
    answers = [api.track({"action": "x", "eventId": "mine"}) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"eventId": "mine"}] * 2


def test_properties_travel_as_they_came(api: Api) -> None:
    api.request("POST", "/track", content=b'{"action":"x","properties":{"price": 1.10, "text": "\xc3\xa4"}}')
    assert bytes(api.event().properties) == b'{"price": 1.10, "text": "\xc3\xa4"}'


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "undecodable", None),
        (b"{", "undecodable", None),
        (b"\xff", "undecodable", None),
        (b'{"action":"x","properties":{"a":"\x80"}}', "undecodable", None),
        (b'{"action":"x","properties":' + b"[" * 100_000, "undecodable", None),
        (b"[]", "invalid", None),
        (b"{}", "invalid", "action"),
        (b'{"action":""}', "invalid", "action"),
        (b'{"action":1}', "invalid", "action"),
        (b'{"action":"x","objectType":"user","objectId":true}', "invalid", "objectId"),
        (b'{"action":"x","objectType":"user","objectId":1.5}', "invalid", "objectId"),
        (b'{"action":"x","objectId":1}', "invalid", "objectType"),
        (b'{"action":"x","subjectId":1}', "invalid", "subjectType"),
        (b'{"action":"x","userId":' + b"9" * 600 + b"}", "invalid", "userId"),
        (b'{"action":"x","properties":[1]}', "invalid", "properties"),
        (b'{"action":"x","properties":"{}"}', "invalid", "properties"),
        (b'{"action":"x","datetimeStamp":"yesterday"}', "invalid", "datetimeStamp"),
        (b'{"action":"x","datetimeStamp":1,"sentAt":"now"}', "invalid", "sentAt"),
        (b'{"action":"x","url":"/' + b"a" * 4_001 + b'"}', "invalid", "url"),
        (b'{"action":"x","screenWidth":-1}', "invalid", "screenWidth"),
        (b'{"action":"x","objectid":1}', "invalid", "objectid"),
        (b'{"action":"x","clientIp":"192.0.2.1"}', "server_key_needed", "clientIp"),
        (b'{"action":"x","userAgent":"Firefox"}', "server_key_needed", "userAgent"),
    ],
)
def test_what_breaks_a_rule_is_told_and_kept(api: Api, body: bytes, code: str, field: str | None) -> None:
    answer = api.request("POST", "/track", content=body)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["code"], error.get("field")) == (code, field)
    (kept,) = api.rejections()
    assert kept.body == body[: 64 * 1024]
    assert (kept.reason, kept.field, kept.detail) == (code, field, error["message"])
    assert (kept.site, kept.received_at) == ("localhost", NOW)
    assert api.events() == []


def test_a_line_that_its_importer_could_not_read_is_kept_as_the_line(api: Api) -> None:
    answer = api.track({"eventId": "line-1", "raw": "GET / ä"})
    assert answer.json()["error"]["code"] == "unparsed_line"
    (kept,) = api.rejections()
    assert (kept.reason, kept.body) == ("unparsed_line", "GET / ä".encode())


def test_a_line_that_is_not_utf_8_is_kept_with_its_very_bytes(api: Api) -> None:
    line = b"GET /\xff\xfe \x00"
    api.track({"eventId": "line-1", "rawBase64": base64.b64encode(line).decode()})
    (kept,) = api.rejections()
    assert (kept.reason, kept.body) == ("unparsed_line", line)


def test_a_rejected_event_that_could_not_be_kept_is_to_be_sent_again(api: Api) -> None:
    api.stream.available = False
    assert api.track({"action": ""}).status_code == 503


def test_an_event_too_large_for_the_stream_is_kept_cut(api: Api) -> None:
    answer = api.track({"action": "x", "properties": {"a": "b" * 70_000}})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    (kept,) = api.rejections()
    assert (len(kept.body), kept.body_length > 70_000) == (64 * 1024, True)


def test_a_body_past_the_bound_is_refused_before_it_is_read(api: Api) -> None:
    answer = api.request("POST", "/track", content=b" " * 1_000_001)
    assert answer.status_code == 413
    assert api.rejections() == []


def test_a_body_of_no_declared_length_is_bounded_too(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 100_000

    assert api.request("POST", "/track", content=endless()).status_code == 413


@pytest.mark.parametrize(
    "headers", [{"content-type": "application/xml"}, {"content-type": "application/json", "content-encoding": "br"}]
)
def test_other_types_and_encodings_are_refused(api: Api, headers: dict[str, str]) -> None:
    answer = api.request("POST", "/track", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert set(answer.json()["error"]) == {"code", "message"}


def test_a_fault_of_the_collector_has_the_error_shape(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(zone: str, now: int) -> bytes:
        raise OSError("no space left")

    monkeypatch.setattr(api.salts, "of_day", broken)
    answer = api.track({"action": "x"})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert api.events() == []


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"action": ""}, 'action: Expected str of length >= 1, but it is "".'),
        ({"action": "x", "colour": "red"}, 'colour: Object contains unknown field colour, but it is "red".'),
        ({}, "action: Object missing required field action."),
        ({"action": "x", "properties": [1, 2]}, "properties: expected an object, but it is [1,2]."),
        (
            {"action": "x", "datetimeStamp": "yesterday"},
            "datetimeStamp: expected Unix seconds or milliseconds as a number, or a text in ISO 8601, "
            "but it is 'yesterday'.",
        ),
        ({"action": "x", "title": "a" * 2_000}, 'title: Expected str of length <= 1000, but it is "' + "a" * 79 + "…."),
    ],
)
def test_a_refusal_names_field_rule_and_value(api: Api, event: dict[str, Any], says: str) -> None:
    assert api.track(event).json()["error"]["message"] == says
