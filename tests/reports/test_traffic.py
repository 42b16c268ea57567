"""Report traffic: every event of a day is counted, as one of people or one of bots."""

from datetime import date
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from tests.reports.rows import DAY, after, built, events, table


def traffic(*rows: dict[str, Any]) -> pl.DataFrame:
    clean = events(*rows)
    return built(TRAFFIC, events=clean, sessions=SESSIONS.build(clean))


def test_people_and_bots_are_counted_apart() -> None:
    result = traffic(
        {"occurred_at": after(0)},
        {"occurred_at": after(2)},
        {"occurred_at": after(2.5), "action": "signup"},
        {"occurred_at": after(3), "action": "request"},
        {"occurred_at": after(60)},
        {"occurred_at": after(61), "action": "engagement", "engaged_ms": 1_250},
        {"visitor_id": "bob", "action": "error"},
        {"visitor_id": "bob", "action": "engagement", "engaged_ms": 250},
        {"visitor_id": "crawler", "is_bot": True},
        {"visitor_id": "crawler", "occurred_at": after(1), "action": "request", "is_bot": True},
        {"visitor_id": "fetcher", "is_bot": True},
        {"visitor_id": "fetcher", "action": "engagement", "engaged_ms": 9_999},
    )
    expected = table(
        TRAFFIC,
        {
            "visitors": 2,
            "visits": 2,
            "pageviews": 3,
            "events": 6,
            "bounces": 1,
            "visit_seconds": 150,
            "bot_visitors": 2,
            "bot_pageviews": 2,
            "bot_events": 4,
            "engagements": 2,
            "engaged_seconds": 1.5,
        },
    )
    assert_frame_equal(result, expected)


def test_a_visitor_with_any_event_of_a_bot_is_a_bot_all_day() -> None:
    result = traffic({}, {"action": "request", "is_bot": True}, {"event_date": date(2026, 11, 21)})
    assert result.select(
        "date", "visitors", "visits", "events", "bot_visitors", "bot_pageviews", "bot_events"
    ).rows() == [
        (DAY, 0, 0, 0, 1, 1, 2),
        (date(2026, 11, 21), 1, 1, 1, 0, 0, 0),
    ]


def test_events_without_visitor_are_counted_by_their_own_user_agent() -> None:
    nobody = {"visitor_id": None}
    result = traffic(nobody, nobody, {**nobody, "is_bot": True})
    assert result.select("visitors", "visits", "pageviews", "bot_visitors", "bot_pageviews").rows() == [(0, 0, 2, 0, 1)]


def test_a_day_of_only_bots_has_a_row() -> None:
    result = traffic({"is_bot": True})
    assert result.select("visitors", "visits", "bounces", "visit_seconds", "bot_visitors").rows() == [(0, 0, 0, 0, 1)]


def test_sites_and_days_are_counted_apart() -> None:
    result = traffic({}, {"site": "other.org"}, {"event_date": date(2026, 11, 21)})
    assert result.select("site", "date", "visitors").rows() == [
        ("example.com", DAY, 1),
        ("example.com", date(2026, 11, 21), 1),
        ("other.org", DAY, 1),
    ]


def test_nothing_happened_on_no_day() -> None:
    assert_frame_equal(traffic(), table(TRAFFIC))
