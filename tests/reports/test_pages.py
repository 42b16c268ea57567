"""Report pages: views, visitors, entries, exits and engagement of each page."""

from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from pipelines.reports.pages import PAGES
from pipelines.reports.sessions import SESSIONS
from tests.reports.rows import after, built, events, table


def pages(*rows: dict[str, Any]) -> pl.DataFrame:
    clean = events(*rows)
    return built(PAGES, events=clean, sessions=SESSIONS.build(clean))


def engaged(milliseconds: int, scroll_depth: int | None) -> dict[str, Any]:
    return {"action": "engagement", "engaged_ms": milliseconds, "scroll_depth": scroll_depth}


def test_a_page_has_its_views_visitors_entries_and_exits() -> None:
    result = pages(
        {"occurred_at": after(0), "path": "/a"},
        {"occurred_at": after(1), "path": "/b"},
        {"occurred_at": after(2), "path": "/a"},
        {"occurred_at": after(2), "path": "/a", **engaged(1_500, 40)},
        {"occurred_at": after(3), "path": "/a", **engaged(500, 80)},
        {"visitor_id": "bob", "path": "/a"},
        {"visitor_id": "bob", "path": "/a", **engaged(1_000, 10)},
        {"visitor_id": "bob", "path": "/yesterday", **engaged(250, None)},
        {"visitor_id": None, "path": "/a", **engaged(100, 100)},
        {"visitor_id": "bob", "path": "/c", "action": "request"},
        {"visitor_id": "crawler", "path": "/d", "is_bot": True},
        {"visitor_id": "crawler", "path": "/a", **engaged(1, 1)},
    )
    nothing = {"visitors": 0, "pageviews": 0, "entries": 0, "exits": 0, "bounces": 0}
    not_engaged = {"engagements": 0, "engaged_seconds": 0.0, "scroll_depth_sum": 0, "scroll_depth_count": 0}
    expected = table(
        PAGES,
        {
            "path": "/a",
            "visitors": 2,
            "pageviews": 3,
            "entries": 2,
            "exits": 2,
            "bounces": 1,
            "engagements": 4,
            "engaged_seconds": 3.1,
            "scroll_depth_sum": 90,
            "scroll_depth_count": 2,
        },
        {**nothing, **not_engaged, "path": "/b", "visitors": 1, "pageviews": 1},
        {**nothing, **not_engaged, "path": "/yesterday", "engagements": 1, "engaged_seconds": 0.25},
    )
    assert_frame_equal(result, expected)


def test_page_views_that_name_no_page_are_the_page_without_path() -> None:
    result = pages({"path": None}, {"path": None, "visitor_id": None})
    assert result.select("path", "visitors", "pageviews", "entries", "exits", "bounces").rows() == [("", 1, 2, 1, 1, 1)]
