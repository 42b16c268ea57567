"""Report actions: who did what to what."""

import json
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from pipelines.reports.actions import ACTIONS
from pipelines.reports.clean_events import enrich
from tests.reports.rows import built, events, raw, table


def actions(*rows: dict[str, Any]) -> pl.DataFrame:
    return built(ACTIONS, events=events(*rows))


def test_a_user_who_views_articles_is_in_the_report() -> None:
    view = {"object_type": "user", "action": "view", "subject_type": "article"}
    result = actions(
        {**view, "object_id": "2", "subject_id": "2", "visitor_id": "2"},
        {**view, "object_id": "2", "subject_id": "3", "visitor_id": "2"},
        {**view, "object_id": "4", "subject_id": "2", "visitor_id": "4"},
        {**view, "object_id": "5", "subject_id": "5", "visitor_id": "5", "is_bot": True},
        {**view, "object_id": "2", "subject_id": None, "visitor_id": None},
        {"object_type": "user", "action": "login"},
    )
    expected = table(
        ACTIONS,
        {
            "object_type": "user",
            "action": "login",
            "subject_type": "",
            "events": 1,
            "visitors": 1,
            "objects": 0,
            "subjects": 0,
        },
        {**view, "events": 4, "visitors": 2, "objects": 2, "subjects": 2},
    )
    assert_frame_equal(result, expected)


def test_the_seeds_event_is_in_the_report() -> None:
    seed = json.loads('{"objectId":2,"objectType":"user","action":"view","subjectId":2,"subjectType":"article"}')
    landed = {
        "object_id": str(seed["objectId"]),
        "object_type": seed["objectType"],
        "action": seed["action"],
        "subject_id": str(seed["subjectId"]),
        "subject_type": seed["subjectType"],
        "visitor_id": "2",
    }
    result = built(ACTIONS, events=enrich(raw(landed).collect(), {}).lazy())
    assert result.select("object_type", "action", "subject_type", "events").rows() == [("user", "view", "article", 1)]
