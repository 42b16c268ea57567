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
from tests.reports.rows import DAY, after, events

Tables = dict[str, pl.DataFrame]

event = st.fixed_dictionaries(
    {
        "site": st.sampled_from(["example.com", "other.org"]),
        "event_date": st.sampled_from([DAY, date(2026, 11, 21)]),
        "visitor_id": st.sampled_from(["ann", "bob", "crawler", None]),
        "action": st.sampled_from(["pageview", "pageview", "signup", "request", "error"]),
        "occurred_at": st.sampled_from([0, 0, 1, 20, 45, 80]).map(after),
        "path": st.sampled_from(["/", "/a", None]),
        "source": st.sampled_from(["Google", "Direct / None"]),
        "subject_type": st.sampled_from(["page", None]),
        "device": st.sampled_from(["Mobile", "Desktop", None]),
        "is_bot": st.booleans().flatmap(lambda rarely: st.booleans() if rarely else st.just(False)),
    }
)
law = settings(deadline=None, max_examples=40)  # An example builds five reports: 0.1 s and more.
some_events = st.lists(event, max_size=25)


def build_all(clean: pl.DataFrame) -> Tables:
    tables = {"events": clean}
    for report in REPORTS:
        inputs = (tables[name].lazy() for name in report.inputs)
        tables[report.name] = report.build(*inputs).collect(engine="streaming").sort(report.spec.key)
    return tables


def same(left: Tables, right: Tables) -> None:
    for report in REPORTS:
        assert_frame_equal(left[report.name], right[report.name])


def by_day(rows: pl.DataFrame, date_column: str, *counts: str) -> dict[tuple[str, date], tuple[int, ...]]:
    """Sums by site and day, days of nothing but zeros left out."""
    sums = rows.group_by("site", date_column).agg(pl.col(*counts).cast(pl.Int64()).sum())
    return {(site, day): tuple(values) for site, day, *values in sums.iter_rows() if any(values)}


@law
@given(some_events)
def test_rows_fit_their_table_and_keys_are_unique(rows: list[dict[str, Any]]) -> None:
    tables = build_all(events(*rows).collect())
    for report in REPORTS:
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
        events=pl.col("events") + pl.col("bot_events"),
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
    traffic, pages, sources = tables["traffic"], tables["pages"], tables["sources"]
    visits = tables["sessions"].filter(~pl.col("is_bot"))
    assert by_day(pages, "date", "pageviews") == by_day(traffic, "date", "pageviews")
    assert by_day(tables["actions"], "date", "events") == by_day(traffic, "date", "events")
    for count in ("visits", "bounces", "visit_seconds"):
        assert by_day(sources, "date", count) == by_day(traffic, "date", count)
    assert by_day(pages, "date", "bounces") == by_day(traffic, "date", "bounces")
    assert by_day(pages, "date", "entries") == by_day(pages, "date", "exits")
    assert by_day(pages, "date", "entries") == by_day(
        visits.select("site", "session_date", entries=pl.col("pageviews") > 0), "session_date", "entries"
    )


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
    alone = [build_all(clean.filter(pl.col("event_date") == day)) for day in (DAY, date(2026, 11, 21))]
    for report in REPORTS:
        days = pl.concat([tables[report.name] for tables in alone]).sort(report.spec.key)
        assert_frame_equal(together[report.name], days)
