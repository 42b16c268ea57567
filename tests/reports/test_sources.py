"""Report sources: where visits came from."""

from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from pipelines.reports.sessions import SESSIONS
from pipelines.reports.sources import SOURCES
from tests.reports.rows import after, built, events, table

GOOGLE = {"source": "Google", "channel": "Organic Search"}


def sources(*rows: dict[str, Any]) -> pl.DataFrame:
    return built(SOURCES, sessions=SESSIONS.build(events(*rows)))


def test_a_visit_counts_for_the_source_it_came_from() -> None:
    result = sources(
        {"occurred_at": after(0), **GOOGLE},
        {"occurred_at": after(1)},
        {"occurred_at": after(60)},
        {"occurred_at": after(61), "action": "engagement", "engaged_ms": 700},
        {"occurred_at": after(62), "action": "engagement", "engaged_ms": 100},
        {"occurred_at": after(120), **GOOGLE},
        {"visitor_id": "bob", **GOOGLE},
        {"visitor_id": "crawler", "is_bot": True, **GOOGLE},
    )
    expected = table(
        SOURCES,
        {
            "source": "Direct / None",
            "channel": "Direct",
            "visitors": 1,
            "visits": 1,
            "pageviews": 1,
            "bounces": 1,
            "visit_seconds": 0,
            "engaged_seconds": 0.8,
        },
        {
            **GOOGLE,
            "visitors": 2,
            "visits": 3,
            "pageviews": 4,
            "bounces": 2,
            "visit_seconds": 60,
            "engaged_seconds": 0.0,
        },
    )
    assert_frame_equal(result, expected)
