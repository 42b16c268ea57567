"""Report pages: views, visitors, entries and exits of each page."""

from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from pipelines.reports.pages import PAGES
from pipelines.reports.sessions import SESSIONS
from tests.reports.rows import after, built, events, table


def pages(*rows: dict[str, Any]) -> pl.DataFrame:
    clean = events(*rows)
    return built(PAGES, events=clean, sessions=SESSIONS.build(clean))


def test_a_page_has_its_views_visitors_entries_and_exits() -> None:
    result = pages(
        {"occurred_at": after(0), "path": "/a"},
        {"occurred_at": after(1), "path": "/b"},
        {"occurred_at": after(2), "path": "/a"},
        {"visitor_id": "bob", "path": "/a"},
        {"visitor_id": "bob", "path": "/c", "action": "request"},
        {"visitor_id": "crawler", "path": "/d", "is_bot": True},
    )
    expected = table(
        PAGES,
        {"path": "/a", "visitors": 2, "pageviews": 3, "entries": 2, "exits": 2, "bounces": 1},
        {"path": "/b", "visitors": 1, "pageviews": 1, "entries": 0, "exits": 0, "bounces": 0},
    )
    assert_frame_equal(result, expected)


def test_page_views_that_name_no_page_are_the_page_without_path() -> None:
    result = pages({"path": None}, {"path": None, "visitor_id": None})
    expected = table(PAGES, {"path": "", "visitors": 1, "pageviews": 2, "entries": 1, "exits": 1, "bounces": 1})
    assert_frame_equal(result, expected)
