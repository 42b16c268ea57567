"""Makes all tables of a span of days anew from what was landed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.expired import refuse_expired
from pipelines.refresh.reports import build
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from sites import Site, Sites

Tell = Callable[[int, int, str], None]
"""Told before each step: how many are done, how many there are, and what comes."""


def rebuild_days(
    lake: Lake,
    reports: Sequence[Report],
    first: date,
    last: date,
    sites: Iterable[Site],
    tell: Tell = lambda done, total, what: None,
) -> list[date]:
    """Makes `events` and then all reports anew, for the days from `first` to `last` that have events; answers which.

    Refreshes may go on meanwhile. Stopped at any point, each day of each table is as it was or as it should be, and
    it may be repeated. Raises RawEventsExpired before anything is changed, and LakeError.
    """
    time_zones = Sites(sites).time_zones()
    tell(0, 1, "Taking in what is landed")
    refuse_expired(lake, _between(first, last, open_version(lake, EVENTS).days))
    take_in(lake, time_zones)
    days = _between(first, last, open_version(lake, EVENTS).revisions)
    # By months, as the plain Parquet files are.
    months = [(f"{month:%Y-%m}", list(of_month)) for month, of_month in groupby(days, lambda day: day.replace(day=1))]
    total = len(months) * (1 + len(reports))
    for number, (month, of_month) in enumerate(months):
        done = number * (1 + len(reports))
        tell(done, total, f"{month}: {EVENTS.name}")
        rebuild(lake, of_month, time_zones)
        for place, report in enumerate(reports, 1):
            tell(done + place, total, f"{month}: {report.name}")
            by_landing = report.window.of_landing
            build(lake, report, None if by_landing else of_month, rebuild=not by_landing, sites=sites)
    tell(total, total, "Done")
    return days


def _between(first: date, last: date, days: "Mapping[date, int] | frozenset[date]") -> list[date]:
    return sorted(day for day in days if first <= day <= last)
