"""Which days are behind what was landed: what the next refresh has to do."""

from collections.abc import Mapping, Sequence
from datetime import date

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import waiting_days
from pipelines.refresh.reports import stale_days
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report


def days_behind(lake: Lake, reports: Sequence[Report], time_zones: Mapping[str, str]) -> set[date]:
    """The days of landed events that `events` has not taken in, and those that are stale in any report.

    Costs a look at the logs of the tables and at the landed rows that wait. Raises LakeAway.
    """
    events = open_version(lake, EVENTS)
    tables = {EVENTS.name: events} | {report.name: open_version(lake, report.spec) for report in reports}
    behind = waiting_days(lake, events, time_zones)
    for report in reports:
        behind |= stale_days(tables[report.name], [tables[name] for name in report.inputs])
    return behind
