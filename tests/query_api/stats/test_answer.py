"""Answers to stats queries: hand-made ones, and every metric, dimension and filter against DuckDB."""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_api.stats.answer import answer
from query_api.stats.date_ranges import Days, Instants, Period, Range, resolve
from query_api.stats.document import Combined, Comparison, Filter, StatsQuery
from query_api.stats.hits import SCHEMA
from query_api.stats.vocabulary import (
    EVENT_DIMENSIONS,
    METRICS,
    OPERATORS,
    PROPERTY_NAMES,
    TIME_DIMENSIONS,
    VISIT_DIMENSIONS,
)
from tests.query_api.stats.in_sql import answer_in_sql

ZONE = "Europe/Berlin"
NOW = datetime(2026, 3, 30, 15, 20, tzinfo=UTC)
FIRST = datetime(2026, 3, 27, 22, 0, tzinfo=UTC)
"""Summer time begins on the 29th."""

WORDS = ("a", "B", "ab", "ä/%'", "")
VISIT_COLUMNS = [name for name in SCHEMA if name in {key.removeprefix("visit:") for key in VISIT_DIMENSIONS}]

words = st.sampled_from(WORDS)
maybe = st.none() | words


@st.composite
def visits(draw: st.DrawFn) -> dict[str, Any]:
    """What the events of one visit share."""
    return {
        "site": draw(st.sampled_from(["example.com", "example.com", "other.org"])),
        "visitor_id": draw(st.sampled_from(["v1", "v2", "v3"])),
        "session_pageviews": draw(st.integers(0, 3)),
        "session_seconds": draw(st.integers(0, 100)),
        "session_is_bounce": draw(st.booleans()),
        "referrer_host": draw(maybe),
        **{name: draw(maybe) for name in VISIT_COLUMNS},
    }


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Events of a few visits over some days, in any order; some of nobody, which are of no visit."""
    shared = draw(st.lists(visits(), min_size=1, max_size=4))
    nobody = dict.fromkeys(("visitor_id", "session_id", "session_pageviews", "session_seconds", "session_is_bounce"))
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        number = draw(st.integers(0, len(shared) - 1))
        happened = FIRST + timedelta(minutes=draw(st.integers(0, 3 * 24 * 60)))
        action = draw(st.sampled_from(["pageview", "pageview", "signup", "engagement"]))
        left = action == "engagement"
        rows.append(
            {
                **shared[number],
                "session_id": number,
                "occurred_at": happened,
                "date": happened.astimezone(ZoneInfo(ZONE)).date(),
                "action": action,
                "path": draw(maybe),
                "host": draw(maybe),
                "engaged_ms": draw(st.none() | st.integers(0, 9_000)) if left else None,
                "scroll_depth": draw(st.none() | st.integers(0, 100)) if left else None,
                "properties": draw(
                    st.sampled_from([None, "{}", '{"plan":"a"}', '{"plan":7,"x":{"y":["B"]}}', '{"plan":null}'])
                ),
                "goals": draw(st.lists(words, unique=True, max_size=2)),
                **(nobody if draw(st.integers(0, 5)) == 0 else {}),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


FILTERABLE = [*EVENT_DIMENSIONS, *VISIT_DIMENSIONS, "event:props:plan"]
comparisons = st.builds(
    lambda operator, dimension, values, null, case: Comparison(
        operator, dimension, (*values, None) if null and operator.startswith("is") else tuple(values), case
    ),
    st.sampled_from(OPERATORS),
    st.sampled_from(FILTERABLE),
    st.lists(words, min_size=1, max_size=2),
    st.booleans(),
    st.booleans(),
)
filters: st.SearchStrategy[Filter] = st.recursive(
    comparisons,
    lambda within: (
        st.builds(
            lambda operator, of: Combined(operator, tuple(of)),
            st.sampled_from(["and", "or"]),
            st.lists(within, min_size=1, max_size=2),
        )
        | st.builds(lambda of: Combined("not", (of,)), within)
    ),
    max_leaves=3,
)
periods = st.one_of(
    st.sampled_from(["day", "24h", "7d", "month", "year"]),
    st.just(Days(date(2026, 3, 28), date(2026, 3, 29))),
    st.just(Instants(FIRST + timedelta(hours=5), FIRST + timedelta(hours=40))),
)
queries = st.builds(
    lambda period, dimensions, of: StatsQuery("example.com", tuple(METRICS), period, tuple(dimensions), tuple(of)),
    periods,
    st.lists(st.sampled_from([*FILTERABLE, *TIME_DIMENSIONS, PROPERTY_NAMES]), unique=True, max_size=2),
    st.lists(filters, max_size=2),
)


def ask(query: StatsQuery, hits: pl.DataFrame, period: Period | None = None) -> list[tuple[Any, ...]]:
    asked = resolve(period or query.period, NOW, ZONE, None)
    return answer(query, asked, ZONE, hits.lazy()).rows.rows()


def in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [(value is not None, value) for value in row if not isinstance(value, float)])


@given(queries, frames())
def test_every_answer_is_that_of_duckdb(query: StatsQuery, hits: pl.DataFrame) -> None:
    asked = resolve(query.period, NOW, ZONE, None)
    assert_same_rows(query, ask(query, hits), answer_in_sql(query, asked, ZONE, hits))


def assert_same_rows(query: StatsQuery, ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> None:
    """Whether the rows of a query are those of DuckDB, in any order."""
    ours, theirs = in_order(ours), in_order(theirs)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        for name, one, other in zip([*query.dimensions, *query.metrics], our, their, strict=True):
            if isinstance(one, float) and isinstance(other, float):
                # A half may be rounded up by one and down by the other.
                step = 1 if name in ("visit_duration", "scroll_depth", "time_on_page") else 0.01
                assert math.isclose(one, other, abs_tol=step * 1.001), name
            else:
                assert one == other, name


@given(queries, frames(), st.integers(1, 4))
def test_pages_together_are_the_whole_answer(query: StatsQuery, hits: pl.DataFrame, size: int) -> None:
    whole = ask(query, hits)
    pages = []
    for offset in range(0, len(whole) + 1, size):
        page = StatsQuery(
            query.site, query.metrics, query.period, query.dimensions, query.filters, (), False, False, size, offset
        )
        pages += ask(page, hits)
    assert pages == whole


def hit(visitor: str | None, minute: int, action: str = "pageview", **changes: Any) -> dict[str, Any]:
    happened = datetime(2026, 3, 30, 8, 0, tzinfo=UTC) + timedelta(minutes=minute)
    session = ord((visitor or "0")[-1])
    visit = {"session_id": session, "session_pageviews": 2, "session_seconds": 60, "session_is_bounce": False}
    row = {"site": "example.com", "date": happened.date(), "occurred_at": happened, "action": action, "path": "/"}
    return {**dict.fromkeys(SCHEMA), **row, "visitor_id": visitor, **(visit if visitor else {}), "goals": [], **changes}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def test_a_visit_counts_where_it_has_an_event_and_is_whole_there() -> None:
    hits = frame(hit("v1", 0), hit("v1", 1, path="/b"), hit("v2", 2, session_is_bounce=True, session_seconds=0))
    query = StatsQuery("example.com", ("visitors", "visits", "bounce_rate", "visit_duration"), "day", ("event:page",))
    assert ask(query, hits) == [("/", 2, 2, 50.0, 30.0), ("/b", 1, 1, 0.0, 60.0)]


def test_events_of_nobody_are_events_without_visitor_or_visit() -> None:
    hits = frame(hit(None, 0), hit("v1", 0))
    query = StatsQuery("example.com", ("events", "pageviews", "visitors", "visits"), "day")
    assert ask(query, hits) == [(2, 2, 1, 1)]


def test_a_conversion_rate_is_of_all_visitors_of_the_group() -> None:
    hits = frame(
        hit("v1", 0, source="Google"),
        hit("v1", 1, "signup", source="Google", goals=["Sign up", "Anything"]),
        hit("v2", 0, source="Google"),
        hit("v3", 0, source="Bing"),
    )
    of_goal = Comparison("is", "event:goal", ("Sign up",))
    query = StatsQuery("example.com", ("visitors", "conversion_rate"), "day", ("visit:source",), (of_goal,))
    assert ask(query, hits) == [("Google", 1, 50.0)]
    by_goal = StatsQuery("example.com", ("visitors", "conversion_rate"), "day", ("event:goal",), (of_goal,))
    assert ask(by_goal, hits) == [("Sign up", 1, 33.33)]


def test_names_of_properties_are_those_that_can_be_asked_for_and_of_no_value() -> None:
    asked = ("visitors", "events")
    hits = frame(
        hit("v1", 0, properties='{"plan": "{\\"no\\": 1}", "n\\u00e4me" : {"no": [{"no": 2}]}, "a \\"b\\"":null}'),
        hit("v2", 1, properties='{"näme":["no:", "}"],"":1,"\\\\":1,"\\u0000":1}'),
        hit("v2", 2, properties="{}"),
        hit("v3", 3),
    )
    names = StatsQuery("example.com", asked, "day", ("event:props",))
    assert ask(names, hits) == [("näme", 2, 2), ('a "b"', 1, 1), ("plan", 1, 1)]
    for name in ("näme", "plan"):
        of_name = StatsQuery("example.com", asked, "day", (), (Comparison("is_not", f"event:props:{name}", (None,)),))
        assert [(name, *ask(of_name, hits)[0])] == [row for row in ask(names, hits) if row[0] == name]


def test_what_is_said_on_leaving_tells_of_the_page_and_is_no_event() -> None:
    hits = frame(
        hit("v1", 0),
        hit("v1", 1, "engagement", engaged_ms=4_000, scroll_depth=40),
        hit("v1", 2, "engagement", engaged_ms=2_000, scroll_depth=70),
        hit("v2", 0),
        hit("v2", 1, "engagement", engaged_ms=1_000, scroll_depth=30),
    )
    query = StatsQuery("example.com", ("events", "time_on_page", "scroll_depth"), "day", ("event:page",))
    assert ask(query, hits) == [("/", 2, 4.0, 50.0)]


def test_days_and_hours_are_those_of_the_site_also_when_clocks_change() -> None:
    before, after = (datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in (0, 1))
    hits = frame(
        hit("v1", 0, occurred_at=before, date=date(2026, 3, 29)),
        hit("v1", 0, occurred_at=after, date=date(2026, 3, 29)),
    )
    query = StatsQuery("example.com", ("events",), Days(date(2026, 3, 29), date(2026, 3, 29)), ("time",))
    assert ask(query, hits) == [("2026-03-29 01:00:00", 1), ("2026-03-29 03:00:00", 1)]


@pytest.mark.parametrize(
    ("period", "asked"),
    [
        ("day", Range(date(2026, 3, 30), date(2026, 3, 30))),
        ("7d", Range(date(2026, 3, 24), date(2026, 3, 30))),
        ("month", Range(date(2026, 3, 1), date(2026, 3, 30))),
        ("6mo", Range(date(2025, 10, 1), date(2026, 3, 30))),
        ("12mo", Range(date(2025, 4, 1), date(2026, 3, 30))),
        ("year", Range(date(2026, 1, 1), date(2026, 3, 30))),
        ("all", Range(date(2025, 5, 17), date(2026, 3, 30))),
        ("24h", Range(date(2026, 3, 29), date(2026, 3, 30), NOW - timedelta(hours=24), NOW)),
    ],
)
def test_a_named_range_ends_today_in_the_site_s_zone(period: str, asked: Range) -> None:
    assert resolve(period, NOW, ZONE, date(2025, 5, 17)) == asked


def test_the_second_instant_of_a_range_is_not_in_it() -> None:
    first, second = hit("v1", 0), hit("v1", 1)
    asked = Instants(first["occurred_at"], second["occurred_at"])
    assert ask(StatsQuery("example.com", ("events",), asked), frame(first, second)) == [(1,)]
