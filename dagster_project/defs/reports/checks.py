"""Whether reports hold one row per key, and all events."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.table_check import key_check, table_check
from pipelines.refresh.balance import traffic_balance
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC


def adds_up(lake: LakeResource, days: Sequence[date]) -> dg.AssetCheckResult:
    """Events and page views of people and bots = those of `events`."""
    found = traffic_balance(lake.lake, days)
    metadata = {
        "days": len(days),
        "events in traffic": found.in_traffic[0],
        "events in events": found.in_events[0],
        "page views in traffic": found.in_traffic[1],
        "page views in events": found.in_events[1],
    }
    return dg.AssetCheckResult(passed=found.holds, metadata=metadata)


@dg.definitions
def checks() -> dg.Definitions:
    """A check of the key per table, and of the sums of `traffic`. Reports are not built from sessions that repeat."""
    traffic = table_check(
        TRAFFIC.name,
        "adds_up_with_events",
        "Events and page views of people and bots together are those of the table events.",
        deps=[EVENTS.name],
        look=adds_up,
    )
    keys = [key_check(report.spec, blocking=report.name == SESSIONS.name) for report in load_reports()]
    return dg.Definitions(asset_checks=[*keys, traffic])
