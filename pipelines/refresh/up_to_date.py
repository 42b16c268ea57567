"""Brings all tables up to what was landed, at once and in this process."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from sites import Site, Sites


def bring_up_to_date(lake: Lake, reports: Sequence[Report], sites: Iterable[Site]) -> Mapping[str, set[date]]:
    """Takes in what is landed, then builds all that is stale; answers the changed days of each table.

    Raises LakeError.
    """
    changed = {EVENTS.name: set(take_in(lake, Sites(sites).time_zones()).days)}
    for report in reports:
        changed[report.name] = build(lake, report, open_version(lake, EVENTS).revisions, sites=sites)
    return changed
