"""A backfill of 30 days by one Celery worker and by two, as deploy/dagster has it; each worker has one thread."""

import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.child import in_child
from benchmarks.landed_day import LandedDay
from benchmarks.measured import Measured, at_least, at_most
from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.rebuild import rebuild_days
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.window import DAY
from tests.scale.dagster_cluster import Cluster, dagster_cluster, missing

FIRST = date(2026, 10, 22)
DAYS = [FIRST + timedelta(days=number) for number in range(30)]
EVENTS_OF_A_DAY = 50_000
DAYS_OF_A_RUN = 5
WORKERS = ("first", "second")
SECONDS = 900.0
"""A backfill that takes longer is given up."""

_REPORTS = [report for report in REPORTS if report.window == DAY]
_SPECS = (EVENTS, *(report.spec for report in _REPORTS))
"""The tables whose days are built apart. What is made of many days is one run after them, however many workers."""


def run(console: Console) -> list[Measured]:
    """The same backfill twice, of tables that are there: each day is made anew."""
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder, Progress(console=console, transient=True) as progress:
        home = Path(folder)
        lake = Lake(f"{folder}/lake")
        task = progress.add_task("30 days are landed", total=len(DAYS) * EVENTS_OF_A_DAY)
        for day in DAYS:
            LandedDay(lake, day, EVENTS_OF_A_DAY).land(EVENTS_OF_A_DAY, lambda landed: progress.advance(task, landed))
        task = progress.add_task("one process, one worker, two workers", total=3)
        in_one_process = in_child(_rebuild, lake)
        if open_version(lake, EVENTS).days != set(DAYS):
            raise RuntimeError("some of the 30 days have no events")
        progress.advance(task)
        settings = {"LOGEKTOR_BACKFILL_DAYS": str(DAYS_OF_A_RUN)}
        with dagster_cluster(home, settings, most_at_once=len(WORKERS)) as cluster:
            cluster.add_days([day.isoformat() for day in DAYS])
            seconds, extra = [], 0
            for worker in WORKERS:
                cluster.start_worker(worker)
                before = _commits(lake)
                seconds.append(_backfill(cluster))
                extra += sum(number - before[place] - 1 for place, number in _commits(lake).items())
                progress.advance(task)
    alone, together = seconds
    name = f"30 days of {EVENTS_OF_A_DAY:,} events"
    return [
        Measured(f"{name}: one process with all threads", in_one_process.seconds, "s"),
        Measured(f"{name}: its processor seconds", in_one_process.cpu_seconds, "s"),
        Measured(f"{name}: one worker", alone, "s"),
        Measured(f"{name}: two workers", together, "s"),
        at_least(f"{name}: one worker / two workers", alone / together, "ratio", 1.5),
        at_most(f"{name}: days built more than once", extra, "days", 0),
    ]


def _rebuild(lake: Lake) -> None:
    rebuild_days(lake, _REPORTS, DAYS[0], DAYS[-1], ())


def _commits(lake: Lake) -> Mapping[tuple[str, date], int]:
    """How often each day of each table was written."""
    return {(spec.name, day): open_version(lake, spec).revision(day) for spec in _SPECS for day in DAYS}


def _backfill(cluster: Cluster) -> float:
    """Seconds from the beginning of the first run to the end of the last: Dagster looks for backfills every 30 s."""
    backfill = cluster.launch([spec.name for spec in _SPECS], [day.isoformat() for day in DAYS])
    cluster.complete(backfill, SECONDS)
    runs = cluster.runs(backfill)
    return max(run.ended or 0 for run in runs) - min(run.began or 0 for run in runs)
