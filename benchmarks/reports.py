"""All tables of a day, from landed events to reports: made anew, refreshed, asked; and DuckDB on the same files."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from rich.console import Console
from rich.progress import Progress

from benchmarks import duckdb_reports
from benchmarks.child import Done, in_child
from benchmarks.landed_day import SITE, LandedDay
from benchmarks.measured import Measured, at_most
from lake.catalogue import Catalogue, OpenTable
from lake.location import Lake
from lake.raw import open_landed
from lake.table_version import open_version
from pipelines.refresh.behind import days_behind
from pipelines.refresh.events import take_in
from pipelines.refresh.rebuild import rebuild_days
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from query_api.report_query import ReportQuery, page_of, shape_of
from sites import Funnel, Goal, Site, Sites

SIZES = (100_000, 1_000_000, 10_000_000, 30_000_000)
NEW = 100_000
OLD = 50_000
DAY = date(2026, 11, 20)
OLD_DAY = date(2023, 11, 20)
"""No week, month or cohort that DAY is in reaches back to it."""

QUERIED_DAYS = 30
EVENTS_OF_A_QUERIED_DAY = 20_000
ASKED = 7

MINUTES = 15
"""A size that would take longer than what is left of it is not run."""

_SITES = (
    Site(
        SITE,
        ("write_key",),
        ("server_key",),
        goals=(Goal("signup", action="signup"), Goal("reading", page="/page/1*")),
        funnels=(Funnel("reader", ("reading", "signup")),),
    ),
)


def run(console: Console) -> list[Measured]:
    """Each piece of work is done in a process of its own, so that its memory can be told."""
    ends = time.monotonic() + 60 * MINUTES
    results: list[Measured] = []
    seconds_per_event, rebuilds = 0.0, {}
    with Progress(console=console, transient=True) as progress:
        results += _queries(progress)
        for size in SIZES:
            if time.monotonic() + size * seconds_per_event > ends:
                console.print(f"[yellow]{size:,} events are not run:[/] they would not end within {MINUTES} minutes")
                continue
            began = time.monotonic()
            rebuilds[size], measured = _day(console, progress, size)
            results += measured
            seconds_per_event = (time.monotonic() - began) / size
    return [*results, *_curve(rebuilds)]


def _day(console: Console, progress: Progress, size: int) -> tuple[float, list[Measured]]:
    """The seconds of a rebuild, and all that is measured on a day of so many events."""
    name = f"{size / 1e6:g} M events"
    task = progress.add_task(name, total=size + NEW + OLD)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(f"{folder}/lake")
        LandedDay(lake, OLD_DAY, OLD).land(OLD, lambda landed: progress.advance(task, landed))
        day = LandedDay(lake, DAY, size + NEW)
        day.land(size, lambda landed: progress.advance(task, landed))
        in_child(_refresh, lake)
        rebuilt = in_child(_rebuild, lake)
        peer = in_child(duckdb_reports.build, _landed_files(lake), Path(folder) / "duckdb")
        day.land(NEW, lambda landed: progress.advance(task, landed))
        refreshed = in_child(_refresh, lake)
        idle = in_child(_refresh, lake)
    progress.remove_task(task)
    console.print(
        f"{name}: all tables anew {_told(rebuilt)}; DuckDB {_told(peer)}; refresh {_told(refreshed)}; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    old = [day for days in refreshed.answer.values() for day in days if day < DAY - timedelta(days=31)]
    return rebuilt.seconds, [
        _bounded(f"{name}: all tables anew", rebuilt.seconds, "s", 60 if size == 10_000_000 else None),
        _bounded(f"{name}: its highest RSS", rebuilt.memory / 2**30, "GiB", 3 if size == 10_000_000 else None),
        Measured(f"{name}: DuckDB's time for the day tables", peer.seconds, "s"),
        Measured(f"{name}: DuckDB's highest RSS", peer.memory / 2**30, "GiB"),
        Measured(f"{name}: all tables anew / DuckDB", rebuilt.seconds / peer.seconds, "ratio"),
        _bounded(
            f"{name}: refresh after {NEW:,} more",
            refreshed.seconds,
            "s",
            {1_000_000: 15, 10_000_000: rebuilt.seconds}.get(size),
        ),
        Measured(f"{name}: its highest RSS", refreshed.memory / 2**30, "GiB"),
        Measured(f"{name}: refresh after nothing", idle.seconds, "s"),
        at_most(f"{name}: days of an old date built by it", len(old), "days", 0),
        at_most(f"{name}: tables built after nothing", sum(map(len, idle.answer.values())), "days", 0),
    ]


def _refresh(lake: Lake) -> Mapping[str, Sequence[date]]:
    """What a run of Dagster does: takes in what was landed and builds what is behind; the days by table."""
    behind = days_behind(lake, REPORTS, _SITES)
    take_in(lake, Sites(_SITES).time_zones())
    return {report.name: sorted(build(lake, report, behind, sites=_SITES)) for report in REPORTS} if behind else {}


def _rebuild(lake: Lake) -> int:
    """How many events the day has."""
    rebuild_days(lake, REPORTS, DAY, DAY, _SITES)
    return open_version(lake, EVENTS).rows(DAY)


def _landed_files(lake: Lake) -> list[str]:
    landed = open_landed(lake)
    return [] if landed is None else [file for file in landed.file_uris() if f"landed_date={DAY}" in file]


def _curve(rebuilds: Mapping[int, float]) -> list[Measured]:
    """Time by event at each size against that at 1 M: a cost that grows no faster than the day."""
    reference = rebuilds[1_000_000] / 1_000_000
    return [
        at_most(f"all tables anew, by event: {size / 1e6:g} M / 1 M", seconds / size / reference, "ratio", 1.2)
        for size, seconds in rebuilds.items()
        if size > 1_000_000
    ]


def _queries(progress: Progress) -> list[Measured]:
    """Each report over 30 days, as the query API reads it and as DuckDB does from the same files, in one process."""
    task = progress.add_task("30 days to ask", total=QUERIED_DAYS * EVENTS_OF_A_QUERIED_DAY)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(f"{folder}/lake")
        for number in range(QUERIED_DAYS):
            day = LandedDay(lake, DAY - timedelta(days=number), EVENTS_OF_A_QUERIED_DAY)
            day.land(EVENTS_OF_A_QUERIED_DAY, lambda landed: progress.advance(task, landed))
        in_child(_refresh, lake)
        if (days := len(open_version(lake, EVENTS).days)) != QUERIED_DAYS:
            raise RuntimeError(f"there are events of {days} days, not of {QUERIED_DAYS}")
        asked = in_child(_ask, lake)
    for name, (ours, peers, same) in asked.answer.items():
        if not same:
            raise RuntimeError(f"{name}: DuckDB reads other rows")
        results.append(at_most(f"{name} over {QUERIED_DAYS} days / DuckDB", ours / peers, "ratio", 1.5))
    progress.remove_task(task)
    return results


def _ask(lake: Lake) -> dict[str, tuple[float, float, bool]]:
    """By report that has rows the seconds of both, and whether they answer as many rows."""
    catalogue = Catalogue(lake)
    answers = {}
    with duckdb.connect(config={"threads": duckdb_reports.THREADS}) as database:
        for entry in catalogue.entries():
            files = DeltaTable(lake.table_uri(entry.name)).file_uris()
            if not files:
                continue
            ours, peers = [], []
            for _ in range(ASKED):
                began = time.perf_counter()
                rows = _ask_ours(catalogue.open(entry.name))
                ours.append(time.perf_counter() - began)
                began = time.perf_counter()
                others = _ask_duckdb(database, catalogue.open(entry.name), files)
                peers.append(time.perf_counter() - began)
            answers[entry.name] = (median(ours), median(peers), rows.height == others.num_rows)
    return answers


_QUERY = ReportQuery(SITE, DAY - timedelta(days=QUERIED_DAYS - 1), DAY, per="range")


def _ask_ours(report: OpenTable) -> pl.DataFrame:
    shape = shape_of(report.entry.columns, report.entry.key, _QUERY.per)
    return page_of(report.scan, _QUERY, shape, None).collect(engine="streaming")


def _ask_duckdb(database: duckdb.DuckDBPyConnection, report: OpenTable, files: Sequence[str]) -> pa.Table:
    shape = shape_of(report.entry.columns, report.entry.key, _QUERY.per)
    key = ", ".join(shape.key)
    counts = [f"sum({column.name}) AS {column.name}" for column in shape.columns if column.name not in shape.key]
    rows = database.read_parquet(list(files), hive_partitioning=True, union_by_name=True)
    asked = rows.filter(f"site = '{SITE}' AND date BETWEEN DATE '{_QUERY.first}' AND DATE '{_QUERY.last}'")
    return asked.aggregate(", ".join([key, *counts]), key).order(key).limit(_QUERY.limit + 1).to_arrow_table()


def _bounded(name: str, value: float, unit: str, bar: float | None) -> Measured:
    return Measured(name, value, unit) if bar is None else at_most(name, value, unit, bar)


def _told(done: Done[object]) -> str:
    return f"{done.seconds:.1f} s ({done.cpu_seconds:.1f} s of processors), {done.memory / 2**30:.2f} GiB"
