"""Which days are behind what was landed: what the next refresh has to do."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date

from lake.location import Lake
from pipelines.refresh.events import waiting_days
from pipelines.refresh.events_definition import outdated_days
from pipelines.refresh.inputs import Opened
from pipelines.refresh.reports import stale_partitions
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from pipelines.reports.window import Window
from sites import Site, Sites


@dataclass(frozen=True)
class Behind:
    """Days that some table is behind on.

    `new`: something was landed, or tables were left half done. `outdated`: nothing but the definition of a table has
    changed, by another version of its code or by sites.toml; with them the number of events of each day.
    """

    new: Set[date]
    outdated: Mapping[date, int]


def look_behind(lake: Lake, reports: Sequence[Report], sites: Iterable[Site]) -> Behind:
    """The days to refresh so that every table has what was landed, by its definition.

    A week or month that is stale is named by its latest day that has events. Costs a look at the logs of the tables and
    at the landed rows that wait. Raises LakeAway.
    """
    opened = Opened(lake, sites)
    events = opened.table(EVENTS)
    new = waiting_days(lake, events, Sites(sites).time_zones())
    outdated = outdated_days(lake, events, Sites(sites).time_zones())
    for report in reports:
        stale = stale_partitions(report, opened)
        latest = {} if report.window.of_landing else _latest_days(events.revisions, report.window)
        new |= {latest.get(partition, partition) for partition in stale.new}
        outdated |= {latest.get(partition, partition) for partition in stale.outdated}
    return Behind(new, {day: events.rows(day) for day in outdated - new})


def days_behind(lake: Lake, reports: Sequence[Report], sites: Iterable[Site]) -> set[date]:
    """All days that some table is behind on. Raises LakeAway."""
    behind = look_behind(lake, reports, sites)
    return {*behind.new, *behind.outdated}


def _latest_days(days: Iterable[date], window: Window) -> Mapping[date, date]:
    """By partition the latest of its days."""
    return {window.start(day): day for day in sorted(days)}
