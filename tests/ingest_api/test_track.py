"""POST /track, from the request to the record."""

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
