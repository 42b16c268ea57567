"""Whether the clean events are what was landed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.table_check import key_check, table_check
from pipelines.refresh.balance import balance
from pipelines.reports.clean_events import EVENTS


def adds_up(lake: LakeResource, days: Sequence[date]) -> dg.AssetCheckResult:
    """Landed events = counted + duplicates."""
    found = balance(lake.lake, days, lake.time_zones()) if days else None
    metadata = asdict(found) if found else {}
    return dg.AssetCheckResult(passed=found is None or found.holds, metadata={"days": len(days), **metadata})


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of `events`."""
    return dg.Definitions(
        asset_checks=[
            key_check(EVENTS, blocking=True),
            table_check(
                EVENTS.name,
                "adds_up_with_raw_events",
                "Each landed event is counted once or is a duplicate of one that is: none is lost, none is invented.",
                deps=["raw_events"],
                look=adds_up,
            ),
        ]
    )
