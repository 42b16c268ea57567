"""?dry_run=1 shows what would be stored, and stores nothing."""

import json

from tests.ingest_api.conftest import SEED, Api


def trial(api: Api, path: str, body: object) -> tuple[int, dict[str, object]]:
    answer = api.request("POST", f"{path}?dry_run=1", json=body)
    assert api.events() == []
    assert api.rejections() == []
    return answer.status_code, answer.json()


def test_an_event_is_shown_as_it_would_be_stored(api: Api) -> None:
    status, shown = trial(api, "/track", {**SEED, "eventId": "e"})
    assert status == 200
    api.track({**SEED, "eventId": "e"})
    (record,) = api.records("logektor.events.v1")
    assert shown == {"events": [json.loads(record)], "rejected": []}


def test_an_event_that_breaks_a_rule_is_told_and_not_kept(api: Api) -> None:
    status, shown = trial(api, "/track", {"action": ""})
    assert status == 400
    assert shown["error"]["field"] == "action"  # type: ignore[index]


def test_a_batch_is_shown_event_by_event(api: Api) -> None:
    status, shown = trial(api, "/batch", [{**SEED, "eventId": "e"}, {"action": ""}])
    assert status == 200
    assert [event["eventId"] for event in shown["events"]] == ["e"]  # type: ignore[attr-defined]
    assert [rejected["index"] for rejected in shown["rejected"]] == [1]  # type: ignore[attr-defined]


def test_a_body_that_is_no_batch_is_told_and_not_kept(api: Api) -> None:
    status, _ = trial(api, "/batch", 1)
    assert status == 400
