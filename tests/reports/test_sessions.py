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


def test_a_session_says_when_where_and_how_it_was() -> None:
    of_ann = {"device": "Desktop", "browser": "Firefox", "os": "Linux", "country": "DE"}
    result = sessions(
        {"occurred_at": after(0), "path": "/a", "source": "Google", "channel": "Organic Search", **of_ann},
        {"occurred_at": after(1.99), "path": "/b", **of_ann},
        {"occurred_at": after(1), "action": "signup", "path": "/c", **of_ann},
    )
    expected = table(
        SESSIONS,
        {
            "visitor_id": "ann",
            "session_number": 1,
            "started_at": after(0),
            "ended_at": after(1.99),
            "duration_seconds": 119,
            "pageviews": 2,
            "events": 3,
            "entry_page": "/a",
            "exit_page": "/b",
            "source": "Google",
            "channel": "Organic Search",
            **of_ann,
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


def test_the_first_known_device_is_taken_and_the_first_events_source() -> None:
    result = sessions(
        {"occurred_at": after(0), "device": None},
        {"occurred_at": after(1), "device": "Mobile", "source": "Google", "channel": "Organic Search"},
        {"occurred_at": after(2), "device": "Desktop"},
    )
    assert result.select("device", "source", "channel").rows() == [("Mobile", "Direct / None", "Direct")]


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


def test_the_event_id_decides_which_of_two_events_at_once_came_first() -> None:
    rows = [{"event_id": "2", "path": "/second"}, {"event_id": "1", "path": "/first"}]
    for order in (rows, rows[::-1]):
        assert sessions(*order).select("entry_page", "exit_page").rows() == [("/first", "/second")]
