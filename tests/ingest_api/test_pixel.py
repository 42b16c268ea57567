"""GET /pixel.gif counts where no script runs."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_api.errors import EventRejected
from ingest_api.pixel import GIF, event_of
from ingest_api.tracked_event import read_tracked_event
from tests.ingest_api.conftest import Api

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # However busy the machine is.


def test_an_image_counts_a_view_of_the_page_that_shows_it(api: Api) -> None:
    headers = {"referer": "https://example.com/a?q=1", "user-agent": "Firefox"}
    answer = api.request("GET", "/pixel.gif", headers=headers)
    assert (answer.status_code, answer.content) == (200, GIF)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    event = api.event()
    assert (event.site, event.action, event.subject_id, event.url) == (
        "example.com",
        "pageview",
        "/a",
        "https://example.com/a",
    )
    assert event.visitor_id


def test_a_mail_says_what_it_is(api: Api) -> None:
    query = "key=pk_example&action=open&subjectType=mail&subjectId=7&eventId=e&datetimeStamp=1795521000&p.list=news"
    assert api.request("GET", f"/pixel.gif?{query}").status_code == 200
    event = api.event()
    assert (event.event_id, event.action, event.subject_type, event.subject_id) == ("e", "open", "mail", "7")
    assert event.occurred_at == 1_795_521_000_000_000
    assert json.loads(bytes(event.properties)) == {"list": "news"}


@pytest.mark.parametrize(
    ("query", "properties"),
    [
        ({"properties": '{"a": [1, "ü"], "b": null}'}, {"a": [1, "ü"], "b": None}),
        ({"p.a": "2", "properties": '{"a": 1, "b": 1}'}, {"a": "2", "b": 1}),
        ({"properties": "{}"}, {}),
    ],
)
def test_properties_come_whole_or_one_by_one(query: dict[str, str], properties: object) -> None:
    event = read_tracked_event(event_of(urlencode(query), None))
    assert json.loads(bytes(event.properties) or b"{}") == properties


@pytest.mark.parametrize("said", ["[1]", "no json", '{"a":' * 3_000])
def test_properties_that_are_no_object_are_rejected_and_kept_beside_the_others(said: str) -> None:
    body = event_of(urlencode({"p.a": "2", "properties": said}), None)
    with pytest.raises(EventRejected) as rejected:
        read_tracked_event(body)
    assert rejected.value.field == "properties"
    assert json.loads(body) == {"action": "pageview", "properties": [said, {"a": "2"}]}


def test_a_wrong_one_is_still_an_image_and_says_so_and_keeps_no_key(api: Api) -> None:
    answer = api.request("GET", "/pixel.gif?key=pk_example&colour=red")
    assert (answer.status_code, answer.content) == (400, GIF)
    assert answer.headers["logektor-error"] == "invalid"
    (kept,) = api.rejections()
    assert b"pk_example" not in kept.body
    assert json.loads(kept.body) == {"action": "pageview", "colour": "red"}


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("key=wrong", {}, 401),
        ("site=example.com", {}, 401),
        ("site=example.com", {"referer": "https://evil.test/"}, 403),
        ("", {"referer": "https://evil.test/"}, 403),
    ],
)
def test_who_may_not_write_to_the_site_is_refused(api: Api, query: str, headers: dict[str, str], status: int) -> None:
    answer = api.request("GET", f"/pixel.gif?{query}", headers=headers)
    assert (answer.status_code, answer.content) == (status, GIF)
    assert api.events() == []


@LAW
@given(st.text(max_size=60), st.none() | st.text(max_size=20))
def test_any_query_is_an_event_or_rejected(query: str, referer: str | None) -> None:
    try:
        read_tracked_event(event_of(query, referer))
    except EventRejected as rejection:
        assert rejection.message
