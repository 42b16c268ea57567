"""Erases a visitor, a user or a site from every table: raw rows first, then what was made of them, then the files."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake.erasure import Wanted, erase_landed, find_landed, forget_files
from lake.events_table import EventsTable, taken_in
from lake.location import Lake
from lake.parquet_files import update_parquet_files
from lake.raw import scan_raw_events
from lake.raw_schema import DEAD_LETTER, EVENT, TABLE
from lake.report_table import ReportTable
from lake.table_version import DEFINITION, INPUTS, Origin, TableVersion, open_version
from pipelines.refresh.events import rebuild, retried, take_in
from pipelines.refresh.expired import first_whole_day
from pipelines.refresh.landed_rows import below, thin
from pipelines.refresh.reports import build
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.duplicates import EVENT as SAME_EVENT
from pipelines.reports.report import Report
from sites import Site, Sites

Tell = Callable[[int, int, str], None]
"""Told before each step: how many are done, how many there are, and what comes."""


@dataclass(frozen=True)
class Found:
    """What an erasure would take away now: raw rows by kind, rows of `events`, and the days that are made anew."""

    landed_events: int
    dead_letters: int
    events: int
    days: frozenset[date]

    @property
    def nothing(self) -> bool:
        """Whether no table has anything of it."""
        return not (self.landed_events or self.dead_letters or self.events)


@dataclass(frozen=True)
class Erased:
    """What an erasure took away. `unfinished_files` still name it: no commit has them, and they are too young to go."""

    landed_events: int
    dead_letters: int
    days: frozenset[date]
    unfinished_files: Sequence[str]


def look(lake: Lake, wanted: Wanted) -> Found:
    """What there is of it; changes nothing. Raises LakeAway."""
    landed = find_landed(lake, wanted)
    by_day = _by_day(open_version(lake, EVENTS), wanted)
    kinds = _count_kinds(landed)
    return Found(kinds[EVENT], kinds[DEAD_LETTER], sum(by_day.values()), frozenset(by_day))


def erase(
    lake: Lake,
    wanted: Wanted,
    *,
    digest_key: bytes,
    reports: Sequence[Report],
    sites: Iterable[Site],
    now: datetime,
    tell: Tell = lambda done, total, what: None,
) -> Erased:
    """Erases what is landed by now. Stopped at any point, it is to be repeated. Raises LakeError.

    Workers and refreshes may go on meanwhile; what arrives after the beginning stays.
    """
    time_zones = Sites(sites).time_zones()
    tables = (TABLE, EVENTS.name, *(report.name for report in reports))
    steps = _Steps(5 + len(reports) + len(tables), tell)
    steps.next("Looking for rows")
    rows = find_landed(lake, wanted)
    steps.next(f"Deleting {rows.height:,} raw rows")
    erase_landed(lake, wanted, rows, wanted.digest(digest_key), now)
    # Past this nobody can take in any more what was read before the rows were deleted: that commit would fail.
    steps.next("Taking in what is landed")
    take_in(lake, time_zones)
    steps.next("Making days of events anew")
    days = _erase_events(lake, wanted, time_zones)
    for report in reports:
        steps.next(f"Building {report.name}")
        build(lake, report, None, sites=sites)
        if report.window.of_landing:
            retried(lambda report=report: _take_out_of(lake, report, wanted))  # type: ignore[misc]  # called at once
    unfinished = []
    for table in tables:
        steps.next(f"Deleting files of {table}")
        unfinished += forget_files(lake, table, wanted)
    steps.next("Done")
    kinds = _count_kinds(rows)
    return Erased(kinds[EVENT], kinds[DEAD_LETTER], frozenset(days), unfinished)


class _Steps:
    """Counts them."""

    def __init__(self, total: int, tell: Tell) -> None:
        self._numbers: Iterator[int] = iter(range(total))
        self._total = total - 1
        self._tell = tell

    def next(self, what: str) -> None:
        self._tell(next(self._numbers), self._total, what)


def _count_kinds(rows: pl.DataFrame) -> dict[str, int]:
    return {kind: rows.filter(pl.col("kind") == kind).height for kind in (EVENT, DEAD_LETTER)}


def _by_day(events: TableVersion, wanted: Wanted) -> dict[date, int]:
    """How many rows of `events` are wanted, by day."""
    counted = events.scan().filter(wanted.is_event()).group_by("event_date").len().collect(engine="streaming")
    return dict(counted.iter_rows())


def _erase_events(lake: Lake, wanted: Wanted, time_zones: Mapping[str, str]) -> set[date]:
    """Takes the rows out of `events`; answers the days that have changed.

    A day is made anew from its raw events, since a duplicate of an erased row may count now; where they have expired,
    the rows are just taken out.
    """
    events = open_version(lake, EVENTS)
    held = set(_by_day(events, wanted))
    first = first_whole_day(lake)
    touched = held | _days_of_successors(lake, events, wanted, held, time_zones)
    if whole := {day for day in touched if day >= first}:
        rebuild(lake, whole, time_zones)
    for day in sorted(held - whole):
        retried(lambda day=day: _take_out(lake, day, wanted))  # type: ignore[misc]  # called at once
    return whole | held


def _days_of_successors(
    lake: Lake, events: TableVersion, wanted: Wanted, held: Collection[date], time_zones: Mapping[str, str]
) -> set[date]:
    """The days of raw events that are the same events as those to be taken out, and were kept out by them."""
    if not held:
        return set()
    keys = events.scan(held).filter(wanted.is_event()).select(SAME_EVENT)
    left = thin(scan_raw_events(lake).filter(below(taken_in(events))), time_zones)
    return set(left.join(keys, on=SAME_EVENT, how="semi").select("event_date").collect(engine="streaming").to_series())


def _take_out_of(lake: Lake, report: Report, wanted: Wanted) -> None:
    """Takes the rows out of a report that can't be built anew, since what they were made of has expired."""
    table = ReportTable(lake, report.spec)
    seen = table.read()
    named, day = wanted.is_named_in(), report.spec.partition_by
    days = set(seen.scan().filter(named).select(pl.col(day).unique()).collect(engine="streaming").to_series())
    if days:
        inputs, definitions = seen.recorded(INPUTS), seen.recorded(DEFINITION)
        origins = {day: Origin(inputs[day], definitions[day]) for day in days}
        table.replace(seen, origins, seen.scan(days).filter(~named).collect(engine="streaming"))
        update_parquet_files(lake, report.spec)


def _take_out(lake: Lake, day: date, wanted: Wanted) -> None:
    table = EventsTable(lake, EVENTS)
    seen = table.read()
    rows = seen.scan([day]).collect(engine="streaming")
    table.replace_days(seen, [day], rows.filter(~wanted.is_event()), landed_on=set(rows["landed_date"]))
