"""Rebuilding days: everything is made anew, or nothing is touched."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.events_table import EventsTable, taken_in
from lake.location import Lake
from lake.raw_schema import EVENT
from lake.report_table import ReportTable
from lake.retention import expire
from lake.table_version import open_version
from pipelines.refresh.behind import days_behind
from pipelines.refresh.errors import RawEventsExpired
from pipelines.refresh.events import take_in
from pipelines.refresh.rebuild import rebuild_days
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.traffic import TRAFFIC
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON
from tests.written_day import write_day

NEXT_DAY = DAY + timedelta(days=1)
IN_2015 = date(2015, 5, 17)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two events on each of two days, one of them with broken tables, and one event that waits to be taken in."""
    lake = Lake(str(tmp_path / "lake"))
    landing = Landing(lake)
    for day in (DAY, NEXT_DAY):
        landing.land(*(on(day) for _ in range(2)))
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, [DAY, NEXT_DAY])
    table = EventsTable(lake, EVENTS)
    table.replace_days(table.read(), [DAY], table.read().scan([DAY]).head(1).collect())
    report_table = ReportTable(lake, TRAFFIC.spec)
    write_day(report_table, NEXT_DAY, report_table.read().scan([NEXT_DAY]).head(0).collect(), 1)
    landing.land(on(IN_2015, landed_date=IN_2015 + timedelta(days=1)))
    return lake


def on(day: date, **values: object) -> dict[str, object]:
    return {"occurred_at": NOON + (day - DAY), "visitor_id": "ann", **values}


def events_in_traffic(lake: Lake) -> dict[date, int]:
    return dict(open_version(lake, TRAFFIC.spec).scan().select("date", "events").collect().iter_rows())


def test_all_tables_of_the_days_are_made_anew_and_no_day_is_behind(lake: Lake) -> None:
    told: list[tuple[int, int, str]] = []
    days = rebuild_days(lake, REPORTS, IN_2015, NEXT_DAY, {}, lambda *step: told.append(step))
    assert days == [IN_2015, DAY, NEXT_DAY]
    assert events_in_traffic(lake) == {IN_2015: 1, DAY: 2, NEXT_DAY: 2}
    assert days_behind(lake, REPORTS, {}) == set()
    total = 2 * (1 + len(REPORTS))
    assert [(done, of) for done, of, _ in told[1:]] == [(done, total) for done in range(total + 1)]
    assert told[1][2] == "2015-05: events"


def test_other_days_are_left_alone(lake: Lake) -> None:
    before = open_version(lake, TRAFFIC.spec)
    assert rebuild_days(lake, REPORTS, DAY, DAY, {}) == [DAY]
    assert open_version(lake, TRAFFIC.spec).files(NEXT_DAY) == before.files(NEXT_DAY)


def test_days_without_events_are_no_days(lake: Lake) -> None:
    assert rebuild_days(lake, REPORTS, date(2020, 1, 1), date(2020, 12, 31), {}) == []


def test_a_day_whose_raw_events_may_have_expired_is_refused_before_anything_changes(lake: Lake) -> None:
    progress = taken_in(open_version(lake, EVENTS))
    expire(lake, EVENT, NEXT_DAY, taken_in=progress, now=datetime(2026, 11, 24, tzinfo=UTC))
    before = events_in_traffic(lake), open_version(lake, EVENTS).number
    with pytest.raises(RawEventsExpired, match="2026-11-20, 2026-11-21 can't be made anew"):
        rebuild_days(lake, REPORTS, DAY, NEXT_DAY, {})
    assert (events_in_traffic(lake), open_version(lake, EVENTS).number) == before


def test_the_sentence_of_many_days_is_short() -> None:
    days = pl.date_range(DAY, DAY + timedelta(days=99), eager=True).to_list()
    assert str(RawEventsExpired(days, DAY)).startswith("100 days from 2026-11-20 to 2027-02-27 can't be made anew")
