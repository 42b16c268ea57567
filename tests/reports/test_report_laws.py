"""What holds for all reports: sums add up, and neither order nor repetition nor other days matter."""

from datetime import date
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.reports.all_reports import REPORTS
from pipelines.reports.duplicates import first_of_each
from pipelines.reports.report import SETTINGS
from pipelines.reports.window import DAY as ONE_DAY
from tests.reports.generated import NEXT_DAY, some_events
from tests.reports.rows import DAY, events

OF_A_DAY = [
    report for report in REPORTS if report.window == ONE_DAY and not {*SETTINGS, "conversions"} & {*report.inputs}
]
"""Those that follow from the events of a day alone; tests/refresh/test_windows.py holds all to the same laws."""

Tables = dict[str, pl.DataFrame]

law = settings(deadline=None, max_examples=20)  # An example builds a dozen reports: 0.2 s and more.


def build_all(clean: pl.DataFrame) -> Tables:
    tables = {"events": clean}
    for report in OF_A_DAY:
        inputs = (tables[name].lazy() for name in report.inputs)
        tables[report.name] = report.build(*inputs).collect(engine="streaming").sort(report.spec.key)
    return tables


def same(left: Tables, right: Tables) -> None:
    for report in OF_A_DAY:
        assert_frame_equal(left[report.name], right[report.name])


def by_day(rows: pl.DataFrame, date_column: str, *counts: str) -> dict[tuple[str, date], tuple[int, ...]]:
    """Sums by site and day, days of nothing but zeros left out."""
    sums = rows.group_by("site", date_column).agg(pl.col(*counts).cast(pl.Int64()).sum())
    return {(site, day): tuple(values) for site, day, *values in sums.iter_rows() if any(values)}


def seconds_by_day(rows: pl.DataFrame, date_column: str = "date") -> dict[tuple[str, date], tuple[int, ...]]:
    """Engaged milliseconds by site and day."""
    milliseconds = (pl.col("engaged_seconds") * 1000).round().cast(pl.Int64())
    return by_day(rows.with_columns(engaged_ms=milliseconds), date_column, "engaged_ms")


@law
@given(some_events)
def test_rows_fit_their_table_and_keys_are_unique(rows: list[dict[str, Any]]) -> None:
    tables = build_all(events(*rows).collect())
    for report in OF_A_DAY:
        result = tables[report.name]
        assert dict(result.schema) == dict(report.spec.schema)
        assert result.select(report.spec.key).null_count().sum_horizontal().item() == 0
        assert not result.select(report.spec.key).is_duplicated().any()


@law
@given(some_events)
def test_every_event_is_counted_in_traffic_once(rows: list[dict[str, Any]]) -> None:
    clean = events(*rows).collect()
    traffic = build_all(clean)["traffic"].select(
        "site",
        "date",
        events=pl.col("events") + pl.col("engagements") + pl.col("bot_events"),
        pageviews=pl.col("pageviews") + pl.col("bot_pageviews"),
        visitors=pl.col("visitors") + pl.col("bot_visitors"),
    )
    counted = clean.group_by("site", date="event_date").agg(
        pl.len().cast(pl.Int64()).alias("events"),
        pageviews=(pl.col("action") == "pageview").sum().cast(pl.Int64()),
        visitors=pl.col("visitor_id").drop_nulls().n_unique().cast(pl.Int64()),
    )
    assert_frame_equal(traffic, counted, check_row_order=False)


@law
@given(some_events)
def test_the_reports_agree_with_each_other(rows: list[dict[str, Any]]) -> None:
    tables = build_all(events(*rows).collect())
    traffic, hourly, pages, actions = (tables[name] for name in ("traffic", "traffic_hourly", "pages", "actions"))
    counts = ("visits", "pageviews", "events", "engagements")
    assert by_day(hourly, "date", *counts) == by_day(traffic, "date", *counts)
    assert by_day(pages, "date", "pageviews", "engagements") == by_day(traffic, "date", "pageviews", "engagements")
    assert seconds_by_day(hourly) == seconds_by_day(traffic)
    assert seconds_by_day(pages) == seconds_by_day(traffic)
    happened = actions.select("site", "date", "events")
    acted = traffic.select("site", "date", events=pl.col("events") + pl.col("engagements"))
    assert by_day(happened, "date", "events") == by_day(acted, "date", "events")


@law
@given(some_events)
def test_visits_are_the_same_however_they_are_told_apart(rows: list[dict[str, Any]]) -> None:
    tables = build_all(events(*rows).collect())
    visits = tables["sessions"].filter(~pl.col("is_bot"))
    counts = ("visits", "bounces", "visit_seconds")
    for name in ("sources", "locations", "languages", "devices"):
        assert by_day(tables[name], "date", *counts) == by_day(tables["traffic"], "date", *counts)
        assert by_day(tables[name], "date", "pageviews") == by_day(visits, "session_date", "pageviews")
        assert seconds_by_day(tables[name]) == seconds_by_day(visits, "session_date")
    of_pages = visits.filter(pl.col("pageviews") > 0).with_columns(visits=1)
    for name in ("entry_pages", "exit_pages"):
        assert by_day(tables[name], "date", "visits") == by_day(of_pages, "session_date", "visits")
    for count, name in (("entries", "entry_pages"), ("exits", "exit_pages")):
        assert by_day(tables["pages"], "date", count) == by_day(tables[name], "date", "visits")
    assert by_day(tables["pages"], "date", "bounces") == by_day(tables["traffic"], "date", "bounces")


@law
@given(some_events, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(rows: list[dict[str, Any]], random: Random) -> None:
    clean = events(*rows).collect()
    order = list(range(clean.height))
    random.shuffle(order)
    same(build_all(clean[order]), build_all(clean))


@law
@given(some_events, st.integers(1, 3))
def test_sending_events_again_changes_no_report(rows: list[dict[str, Any]], times: int) -> None:
    clean = events(*rows).collect()
    again = clean.with_columns(
        received_at=pl.col("received_at").dt.offset_by(f"{times}h"), kafka_offset=pl.col("kafka_offset") + 1000
    )
    same(build_all(first_of_each(pl.concat([again, clean]))), build_all(clean))


@law
@given(some_events)
def test_several_days_together_are_each_day_alone(rows: list[dict[str, Any]]) -> None:
    clean = events(*rows).collect()
    together = build_all(clean)
    alone = [build_all(clean.filter(pl.col("event_date") == day)) for day in (DAY, NEXT_DAY)]
    for report in OF_A_DAY:
        days = pl.concat([tables[report.name] for tables in alone]).sort(report.spec.key)
        assert_frame_equal(together[report.name], days)
