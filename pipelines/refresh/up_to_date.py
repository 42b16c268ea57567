"""Brings all tables up to what was landed, at once and in this process."""

from collections.abc import Iterable, Sequence
from datetime import date

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.behind import days_behind
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.events_definition import outdated_days
from pipelines.refresh.reports import build
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from sites import Site, Sites


def bring_up_to_date(lake: Lake, reports: Sequence[Report], sites: Iterable[Site]) -> list[date]:
    """Takes in what is landed, then makes all days anew that some table is behind on; answers which.

    Raises LakeError.
    """
    time_zones = Sites(sites).time_zones()
    behind = days_behind(lake, reports, sites)
    taken = take_in(lake, time_zones)
    rebuild(lake, outdated_days(lake, open_version(lake, EVENTS), time_zones), time_zones)
    days = sorted(behind | taken.days)
    for report in reports:
        build(lake, report, days, sites=sites)
    return days
