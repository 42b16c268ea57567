"""Sessions: what starts, extends and ends one, and what is said of it."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.reports.sessions import SESSIONS
from tests.reports.rows import DAY, after, built, events, table


def sessions(*rows: dict[str, Any]) -> pl.DataFrame:
    return built(SESSIONS, events=events(*rows))


OF_ENTRY = {
    "source": "Google",
    "channel": "Organic Search",
    "medium": "organic",
    "referrer_host": "www.google.com",
    "utm_source": "google",
    "utm_medium": "Organic",
    "utm_campaign": "spring",
    "utm_term": "garden",
    "utm_content": "top",
    "device": "Desktop",
    "browser": "Firefox",
    "os": "Linux",
    "country": "DE",
    "language": "de-DE",
}


def test_a_session_says_when_where_and_how_it_was() -> None:
    result = sessions(
        {"occurred_at": after(0), "event_hour": 13, "path": "/a", "host": "shop.example.com", **OF_ENTRY},
        {"occurred_at": after(1), "event_hour": 13, "action": "signup", "path": "/c"},
        {"occurred_at": after(1.99), "event_hour": 14, "path": "/b", "device": "Mobile"},
        {"occurred_at": after(9), "action": "engagement", "path": "/b", "engaged_ms": 2_500},
        {"occurred_at": after(12), "action": "engagement", "path": "/b", "engaged_ms": 1},
    )
    expected = table(
        SESSIONS,
        {
            "visitor_id": "ann",
            "session_number": 1,
            "started_at": after(0),
            "started_hour": 13,
            "ended_at": after(1.99),
            "duration_seconds": 119,
            "engaged_seconds": 2.501,
            "pageviews": 2,
            "events": 3,
            "entry_page": "/a",
            "exit_page": "/b",
            "entry_host": "shop.example.com",
            **OF_ENTRY,
            "is_bounce": False,
            "is_bot": False,
        },
    )
    assert_frame_equal(result, expected)


def test_more_than_half_an_hour_without_event_ends_a_session() -> None:
    result = sessions({"occurred_at": after(0)}, {"occurred_at": after(30)}, {"occurred_at": after(60.001)})
    assert result.select("session_number", "pageviews").rows() == [(1, 2), (2, 1)]


def test_the_sites_midnight_ends_a_session() -> None:
    late = {"occurred_at": datetime(2026, 11, 20, 22, 59, tzinfo=UTC), "event_date": DAY}
    early = {"occurred_at": datetime(2026, 11, 20, 23, 1, tzinfo=UTC), "event_date": date(2026, 11, 21)}
    result = sessions(late, early)
    assert result.select("session_date", "session_number").rows() == [(DAY, 1), (date(2026, 11, 21), 1)]


def test_sites_and_visitors_have_sessions_of_their_own() -> None:
    result = sessions({}, {"visitor_id": "bob"}, {"site": "other.org"})
    assert result.select("site", "visitor_id", "session_number").rows() == [
        ("example.com", "ann", 1),
        ("example.com", "bob", 1),
        ("other.org", "ann", 1),
    ]


@pytest.mark.parametrize("action", ["error", "request", "engagement"])
def test_passive_actions_neither_start_nor_extend_a_session_nor_end_a_bounce(action: str) -> None:
    result = sessions(
        {"action": action, "occurred_at": after(-5)},
        {"occurred_at": after(0)},
        {"action": action, "occurred_at": after(20)},
        {"occurred_at": after(40)},
        {"visitor_id": "bob", "action": action},
    )
    assert result.select("started_at", "ended_at", "events", "is_bounce").rows() == [
        (after(0), after(0), 1, True),
        (after(40), after(40), 1, True),
    ]


@pytest.mark.parametrize(
    ("actions", "is_bounce"),
    [
        (["pageview"], True),
        (["pageview", "pageview"], False),
        (["pageview", "signup"], False),
        (["signup"], False),
        (["pageview", "engagement"], True),
        (["pageview", "outbound_link"], False),
        (["pageview", "download"], False),
    ],
)
def test_a_bounce_is_one_page_view_and_nothing_else(actions: list[str], is_bounce: bool) -> None:
    assert sessions(*({"action": action} for action in actions))["is_bounce"].to_list() == [is_bounce]


def test_entry_and_exit_are_page_views_only() -> None:
    result = sessions(
        {"action": "signup", "occurred_at": after(0), "path": "/x"},
        {"occurred_at": after(1), "path": "/a"},
        {"occurred_at": after(2), "path": None},
        {"action": "signup", "occurred_at": after(3), "path": "/x"},
        {"visitor_id": "bob", "action": "signup"},
    )
    assert result.select("entry_page", "exit_page").rows() == [("/a", ""), (None, None)]


def test_events_without_visitor_are_in_no_session() -> None:
    assert sessions({"visitor_id": None}).is_empty()


def test_what_the_first_event_does_not_say_is_unknown() -> None:
    result = sessions({"occurred_at": after(0)}, {"occurred_at": after(1), **OF_ENTRY})
    assert result.select("device", "country", "utm_campaign", "source").rows() == [(None, None, None, "Direct / None")]


def test_any_event_of_a_bot_makes_all_sessions_of_the_visitors_day_a_bots() -> None:
    result = sessions(
        {"occurred_at": after(0)},
        {"occurred_at": after(60)},
        {"occurred_at": after(120), "action": "request", "is_bot": True},
        {"event_date": date(2026, 11, 21)},
        {"visitor_id": "bob"},
    )
    assert result.select("visitor_id", "session_date", "is_bot").rows() == [
        ("ann", DAY, True),
        ("ann", DAY, True),
        ("bob", DAY, False),
        ("ann", date(2026, 11, 21), False),
    ]


def test_events_of_one_instant_are_in_the_order_they_were_landed_in() -> None:
    rows = [{"kafka_offset": 7, "path": "/second"}, {"kafka_offset": 6, "path": "/first"}]
    for order in (rows, rows[::-1]):
        assert sessions(*order).select("entry_page", "exit_page").rows() == [("/first", "/second")]


def test_a_session_is_shorter_than_24_hours_on_a_day_of_25() -> None:
    every_25_minutes = [{"occurred_at": after(minutes), "path": f"/{minutes}"} for minutes in range(0, 1500, 25)]
    result = sessions(*every_25_minutes)
    assert result.select("session_number", "started_at", "ended_at", "entry_page", "is_bounce").rows() == [
        (1, after(0), after(1425), "/0", False),
        (2, after(1450), after(1475), "/1450", False),
    ]
    exactly = sessions(*({"occurred_at": after(minutes)} for minutes in range(0, 1441, 30)))
    assert exactly.select("ended_at", "events").rows() == [(after(1410), 48), (after(1440), 1)]


def test_an_engagement_belongs_to_the_session_it_follows() -> None:
    def engaged(minutes: float, ms: int, **row: Any) -> dict[str, Any]:
        return {"occurred_at": after(minutes), "action": "engagement", "engaged_ms": ms, **row}

    result = sessions(
        engaged(-5, 10_000),
        {"occurred_at": after(0)},
        engaged(20, 1_000),
        {"occurred_at": after(40)},
        engaged(300, 2_000),
        engaged(300, 40_000, visitor_id="bob"),
        engaged(301, 80_000, site="other.org"),
    )
    assert result.select("visitor_id", "engaged_seconds", "is_bounce", "ended_at").rows() == [
        ("ann", 1.0, True, after(0)),
        ("ann", 2.0, True, after(40)),
    ]
