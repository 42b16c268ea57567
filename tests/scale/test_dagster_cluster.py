"""Backfills on Postgres, Redis and two Celery workers: each day built once, also where a worker is killed."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.location import Lake
from lake.table_spec import TableSpec
from lake.table_version import open_version
from pipelines.refresh.rebuild import rebuild_days
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.all_tables import all_tables
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.window import DAY
from tests.refresh.landing import Landing
from tests.scale.dagster_cluster import Cluster, dagster_cluster, missing
from tests.scale.server_process import SECONDS, until

pytestmark = [
    pytest.mark.scale,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

DAYS = [date(2026, 10, 22) + timedelta(days=number) for number in range(30)]
KEYS = [day.isoformat() for day in DAYS]
DAYS_OF_A_RUN = 5
"""A run costs seconds however small its days are."""

TABLES = ("events", "sessions", "traffic", "people_daily", "people_weekly")
"""A table below others of each kind: of days, of weeks. Each step of a run costs as much as a small table."""

DAY_TABLES = [
    spec for spec in (EVENTS, *(report.spec for report in REPORTS if report.window == DAY)) if spec.name in TABLES
]
WORKERS = ("first", "second")


def land(landing: Landing, day: date) -> None:
    """A day of two visitors, who see three pages each."""
    noon = f"{day}T12:00:00+00:00"
    rows = [
        {"visitor_id": visitor, "url": f"https://example.com/{page}", "occurred_at": at, "received_at": at}
        for at in [pl.Series([noon]).str.to_datetime(time_unit="us", time_zone="UTC")[0]]
        for visitor in (f"ann {day.day}", "bob")
        for page in ("", "prices", f"news/{day.day}")
    ]
    landing.land(*({**row, "landed_date": day, "landed_at": row["received_at"]} for row in rows))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose tables one process has built."""
    folder = tmp_path_factory.mktemp("home")
    lake = Lake(str(folder / "lake"))
    landing = Landing(lake)
    for day in DAYS:
        land(landing, day)
    rebuild_days(lake, [report for report in REPORTS if report.name in TABLES], DAYS[0], DAYS[-1], ())
    return folder


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Cluster]:
    with dagster_cluster(home, {"LOGEKTOR_BACKFILL_DAYS": str(DAYS_OF_A_RUN)}, most_at_once=2) as running:
        running.add_days(KEYS)
        for worker in WORKERS:
            running.start_worker(worker)
        yield running


@pytest.fixture
def lake(home: Path) -> Lake:
    return Lake(str(home / "lake"))


def rows(lake: Lake) -> dict[str, pl.DataFrame]:
    specs = [all_tables()[name] for name in TABLES]
    return {spec.name: open_version(lake, spec).scan().collect().sort(spec.key) for spec in specs}


def commits(lake: Lake, specs: Sequence[TableSpec]) -> dict[tuple[str, date], int]:
    """How often each day of each table was written."""
    return {(spec.name, day): open_version(lake, spec).revision(day) for spec in specs for day in DAYS}


def test_two_workers_build_each_day_of_each_table_once_and_as_one_process_does(cluster: Cluster, lake: Lake) -> None:
    before, expected = commits(lake, DAY_TABLES), rows(lake)
    backfill = cluster.launch(TABLES, KEYS)
    cluster.complete(backfill, SECONDS)
    assert commits(lake, DAY_TABLES) == {place: number + 1 for place, number in before.items()}
    runs = cluster.runs(backfill)
    assert sorted(run.days for run in runs) == sorted(
        [(KEYS[0], KEYS[-1]), *((KEYS[first], KEYS[first + 4]) for first in range(0, 30, 5))]
    )
    assert {cluster.worker_of(run) for run in runs} == set(WORKERS)
    for name, result in rows(lake).items():
        assert_frame_equal(result, expected[name])


def test_a_backfill_ends_right_though_a_worker_is_killed(cluster: Cluster, lake: Lake) -> None:
    before, expected = commits(lake, DAY_TABLES), rows(lake)
    tables = [spec.name for spec in DAY_TABLES]
    backfill = cluster.launch(tables, KEYS[:20])
    until(lambda: [run.status for run in cluster.runs(backfill)].count("STARTED") == 2, "two runs")
    cluster.kill_worker("second")
    cluster.complete(backfill, SECONDS)
    runs = cluster.runs(backfill)
    (killed,) = [run for run in runs if run.status == "FAILURE"]
    assert sorted(run.days for run in runs if run.status == "SUCCESS") == [
        (KEYS[first], KEYS[first + 4]) for first in range(0, 20, 5)
    ]
    for (table, day), number in commits(lake, DAY_TABLES).items():
        # What the killed run had built is not built again; what it was at may be.
        again = killed.days[0] <= day.isoformat() <= killed.days[1]
        expected_commits = {1, 2} if again else {1} if day.isoformat() in KEYS[:20] else {0}
        assert number - before[table, day] in expected_commits, (table, day)
    for name, result in rows(lake).items():
        assert_frame_equal(result, expected[name])
