"""A report's days are built when what they are made of has changed, and not otherwise."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.inputs import Opened
from pipelines.refresh.reports import build, stale_partitions
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON, after

NEXT_DAY = DAY + timedelta(days=1)
IN_2015 = date(2015, 5, 17)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    return Landing(lake)


def stale(lake: Lake) -> dict[str, set[date]]:
    opened = Opened(lake)
    return {report.name: {*stale_partitions(report, opened).all} for report in REPORTS}


def refresh(lake: Lake) -> None:
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, {DAY, NEXT_DAY, IN_2015})


def test_days_are_stale_until_they_are_built(lake: Lake, landing: Landing) -> None:
    landing.land({}, {"occurred_at": NOON + timedelta(days=1)})
    take_in(lake, {})
    assert stale(lake)["sessions"] == {DAY, NEXT_DAY}
    build(lake, SESSIONS, [DAY])
    assert stale(lake)["sessions"] == {NEXT_DAY}
    assert stale(lake)["traffic"] == {DAY, NEXT_DAY}
    refresh(lake)
    assert not any(stale(lake).values())


def test_a_late_event_of_2015_rebuilds_its_day_alone(lake: Lake, landing: Landing) -> None:
    landing.land({})
    refresh(lake)
    landing.land({"occurred_at": NOON.replace(year=2015, month=5, day=17)})
    assert take_in(lake, {}).days == {IN_2015}
    assert build(lake, SESSIONS, {DAY, IN_2015}) == {IN_2015}
    assert build(lake, TRAFFIC, {DAY, IN_2015}) == {IN_2015}


def test_a_duplicate_makes_no_day_stale_but_that_of_its_landing_in_quality(lake: Lake, landing: Landing) -> None:
    landing.land({"event_id": "a"})
    refresh(lake)
    landing.land({"event_id": "a", "received_at": after(1)})
    take_in(lake, {})
    assert {name for name, days in stale(lake).items() if days} == {"quality"}


@pytest.mark.parametrize("upkeep", [lambda table: table.optimize.compact(), lambda table: table.create_checkpoint()])
def test_upkeep_of_tables_makes_no_day_stale(
    lake: Lake, landing: Landing, upkeep: Callable[[DeltaTable], object]
) -> None:
    for _ in range(3):
        landing.land({})
        refresh(lake)
    for name in ("landed", "events", "sessions", "traffic"):
        upkeep(DeltaTable(lake.table_uri(name)))
    assert not any(stale(lake).values())


def test_a_day_that_lost_all_its_events_loses_its_rows(lake: Lake, landing: Landing) -> None:
    landing.land({"occurred_at": NOON + timedelta(hours=11, minutes=30)})
    refresh(lake)
    rebuild(lake, [DAY, NEXT_DAY], {"example.com": "Europe/Berlin"})
    assert stale(lake)["actions"] == {DAY, NEXT_DAY}
    for report in REPORTS:
        build(lake, report, {DAY, NEXT_DAY})
    assert open_version(lake, TRAFFIC.spec).scan().collect()["date"].to_list() == [NEXT_DAY]
    assert not any(stale(lake).values())


def test_a_rebuild_is_done_where_nothing_is_stale(lake: Lake, landing: Landing) -> None:
    landing.land({})
    refresh(lake)
    assert build(lake, TRAFFIC, [DAY]) == set()
    assert build(lake, TRAFFIC, [DAY], rebuild=True) == {DAY}


def test_reports_little_by_little_equal_reports_of_a_rebuild(lake: Lake, landing: Landing) -> None:
    for minutes in (0, 40, 20, 900):
        landing.land({"occurred_at": after(minutes), "received_at": after(minutes), "visitor_id": "ann"})
        refresh(lake)
    little_by_little = {
        report.name: open_version(lake, report.spec).scan().sort(report.spec.key).collect() for report in REPORTS
    }
    rebuild(lake, [DAY, NEXT_DAY], {})
    for report in REPORTS:
        build(lake, report, [DAY, NEXT_DAY], rebuild=True)
        rebuilt = open_version(lake, report.spec).scan().sort(report.spec.key).collect()
        assert_frame_equal(rebuilt, little_by_little[report.name])
    assert little_by_little["sessions"].height == 2


def test_a_crash_between_table_and_parquet_file_is_mended_by_the_next_refresh(
    lake: Lake, landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land({})
    refresh(lake)
    landing.land({})
    take_in(lake, {})

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.refresh.reports.update_parquet_files", crash)
        build(lake, SESSIONS, [DAY])
        with pytest.raises(KeyboardInterrupt):
            build(lake, TRAFFIC, [DAY])
    assert stale(lake)["traffic"] == set()
    build(lake, TRAFFIC, [])
    file = tmp_path / "reports_parquet" / "traffic" / "2026-11.parquet"
    assert pl.read_parquet(file)["events"].to_list() == [2]
    assert open_version(lake, EVENTS).scan().collect().height == 2
