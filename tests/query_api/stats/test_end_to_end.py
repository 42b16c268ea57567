"""Answers over HTTP, from tables that the pipelines built, are those of DuckDB on the tables' files."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query_api.stats.date_ranges import Days, Instants, Period, resolve
from query_api.stats.document import Combined, Comparison, Filter, StatsQuery
from query_api.stats.vocabulary import METRICS, OPERATORS, PROPERTY_NAMES, TIME_DIMENSIONS
from tests.query_api.conftest import OTHER, SITE, Client
from tests.query_api.stats.in_sql import answer_in_sql
from tests.query_api.stats.lake_of_hits import NOW, ZONE, HitsHome, generated, new_home
from tests.query_api.stats.test_answer import FILTERABLE, assert_same_rows
from tests.reports.test_in_sql import LOG, landed_lines

WORDS = (
    "/",
    "a",
    "/docs/one",
    "signup",
    "Docs",
    "Google",
    "Direct / None",
    "news",
    "DE",
    "Mobile",
    "7",
    "nothing",
    "É",
)

sampled = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])

comparisons = st.builds(
    lambda operator, dimension, values, null, case: Comparison(
        operator, dimension, (*values, None) if null and operator.startswith("is") else tuple(values), case
    ),
    st.sampled_from(OPERATORS),
    st.sampled_from(FILTERABLE),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
)
filters: st.SearchStrategy[Filter] = st.one_of(
    comparisons,
    st.builds(lambda first, second: Combined("or", (first, second)), comparisons, comparisons),
    st.builds(lambda of: Combined("not", (of,)), comparisons),
)


def queries(site: str, *periods: Period) -> st.SearchStrategy[StatsQuery]:
    """Questions with all metrics, of up to two dimensions and two filters."""
    return st.builds(
        lambda period, dimensions, of: StatsQuery(site, tuple(METRICS), period, tuple(dimensions), tuple(of)),
        st.sampled_from(periods),
        st.lists(st.sampled_from([*FILTERABLE, *TIME_DIMENSIONS, PROPERTY_NAMES]), unique=True, max_size=2),
        st.lists(filters, max_size=2),
    )


def document(query: StatsQuery) -> dict[str, Any]:
    """The question as JSON, with what its metrics need."""
    asked = query.period
    if isinstance(asked, Days):
        date_range: object = [asked.first.isoformat(), asked.last.isoformat()]
    elif isinstance(asked, Instants):
        date_range = [asked.begin.isoformat(), asked.end.isoformat()]
    else:
        date_range = asked
    return {
        "site_id": query.site,
        "metrics": list(query.metrics),
        "date_range": date_range,
        "dimensions": list(query.dimensions),
        "filters": [filter_document(each) for each in query.filters],
    }


def filter_document(of: Filter) -> list[Any]:
    if isinstance(of, Comparison):
        return [of.operator, of.dimension, list(of.values), {"case_sensitive": of.case_sensitive}]
    within = [filter_document(each) for each in of.filters]
    return [of.operator, within[0] if of.operator == "not" else within]


def answerable(query: StatsQuery) -> StatsQuery:
    """The question without metrics that need a dimension which it does not name."""
    named = {*query.dimensions, *_named(query.filters)}
    kept = tuple(name for name in query.metrics if not METRICS[name].needs or named.intersection(METRICS[name].needs))
    return StatsQuery(query.site, kept, query.period, query.dimensions, query.filters)


def _named(of: tuple[Filter, ...]) -> set[str]:
    return {
        name for each in of for name in ([each.dimension] if isinstance(each, Comparison) else _named(each.filters))
    }


def assert_as_in_files(client: Client, hits: pl.DataFrame, query: StatsQuery, time_zone: str) -> None:
    query = answerable(query)
    answer = client.request("POST", "/api/v2/query", json=document(query))
    assert answer.status_code == 200, answer.text
    rows = [(*row["dimensions"], *row["metrics"]) for row in answer.json()["results"]]
    asked = resolve(query.period, NOW.replace(second=0), time_zone, None)
    assert_same_rows(query, rows, answer_in_sql(query, asked, time_zone, hits))


@pytest.fixture(scope="module")
def generated_home(tmp_path_factory: pytest.TempPathFactory) -> HitsHome:
    home = new_home(tmp_path_factory.mktemp("generated"))
    home.landing.land(*generated(400, seed=7))
    home.refresh()
    return home


@pytest.fixture(scope="module")
def client(generated_home: HitsHome) -> Client:
    return generated_home.client()


@pytest.fixture(scope="module")
def hits(generated_home: HitsHome) -> pl.DataFrame:
    return generated_home.in_files()


@sampled
@given(
    queries(
        SITE,
        *("day", "24h", "7d", "month", "year"),
        Days(date(2026, 3, 28), date(2026, 3, 29)),
        Instants(datetime(2026, 3, 28, 5, tzinfo=UTC), datetime(2026, 3, 30, 7, 30, tzinfo=UTC)),
    )
)
def test_answers_from_generated_events_are_those_of_duckdb(
    client: Client, hits: pl.DataFrame, query: StatsQuery
) -> None:
    assert_as_in_files(client, hits, query, ZONE)


@pytest.mark.parametrize("dimensions", [("event:props", "event:goal"), ("event:goal", "event:props")])
def test_properties_and_goals_of_an_event_are_each_with_each(
    client: Client, hits: pl.DataFrame, dimensions: tuple[str, ...]
) -> None:
    query = StatsQuery(SITE, ("visitors", "events", "conversion_rate"), "year", dimensions)
    assert_as_in_files(client, hits, query, ZONE)


def test_the_generated_events_have_something_of_everything(hits: pl.DataFrame) -> None:
    assert hits["site"].n_unique() == 2
    assert hits["session_id"].n_unique() > 50
    empty = [column.name for column in hits if column.null_count() == hits.height]
    assert set(empty) <= {"utm_content", "utm_term"}
    assert hits["goals"].list.len().max() == 1


@pytest.fixture(scope="module")
def log_home(tmp_path_factory: pytest.TempPathFactory) -> HitsHome:
    home = new_home(tmp_path_factory.mktemp("log"))
    home.landing.land(*landed_lines(gzip.decompress(LOG.read_bytes()).splitlines()))
    home.refresh()
    return home


@pytest.fixture(scope="module")
def log_client(log_home: HitsHome) -> Client:
    return log_home.client()


@pytest.fixture(scope="module")
def log_hits(log_home: HitsHome) -> pl.DataFrame:
    return log_home.in_files()


@pytest.mark.skipif(not Path(LOG).exists(), reason=f"the real access log is not there: {LOG}")
@sampled
@given(
    queries(
        OTHER,
        Days(date(2015, 5, 17), date(2015, 5, 20)),
        Days(date(2015, 5, 18), date(2015, 5, 18)),
        Instants(datetime(2015, 5, 18, 5, tzinfo=UTC), datetime(2015, 5, 19, 7, 30, tzinfo=UTC)),
    )
)
def test_answers_from_a_real_access_log_are_those_of_duckdb(
    log_client: Client, log_hits: pl.DataFrame, query: StatsQuery
) -> None:
    assert_as_in_files(log_client, log_hits, query, "UTC")
