"""Whether the clean events are what was landed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.table_check import key_check, table_check
from pipelines.refresh.balance import balance
from pipelines.reports.clean_events import EVENTS

_FIRST_ZONE = timedelta(hours=14)
"""So far ahead of UTC a site's day may begin."""


def adds_up(lake: LakeResource, days: Sequence[date]) -> dg.AssetCheckResult:
    """Landed events = counted + duplicates."""
    if not days:
        return dg.AssetCheckResult(passed=True, metadata={"days": 0})
    found = balance(lake.lake, days, lake.time_zones())
    return dg.AssetCheckResult(
        passed=found.holds,
        description=None if found.holds else f"{found.lost:,} landed events are missing, {found.invented:,} invented.",
        metadata={"days": len(days), **asdict(found)},
    )


def no_future_days(lake: LakeResource, days: Sequence[date], now: datetime) -> dg.AssetCheckResult:
    """No day that has begun nowhere yet."""
    today = (now + _FIRST_ZONE).date()
    future = [day.isoformat() for day in days if day > today]
    return dg.AssetCheckResult(
        passed=not future,
        description=f"{len(future)} days are in the future." if future else None,
        metadata={"days": len(days), "future days": future},
    )


@dg.definitions
def checks() -> dg.Definitions:
    """The checks of `events`. No table below is built from days that fail."""
    return dg.Definitions(
        asset_checks=[
            key_check(EVENTS),
            table_check(
                EVENTS.name,
                "adds_up_with_raw_events",
                "Each landed event is counted once or is a duplicate of one that is: none is lost, none is invented.",
                deps=["raw_events"],
                blocking=True,
                look=adds_up,
            ),
            table_check(
                EVENTS.name,
                "no_future_days",
                "Every event happened by now: the collector corrects clocks that are ahead.",
                blocking=True,
                look=lambda lake, days: no_future_days(lake, days, datetime.now(UTC)),
            ),
        ]
    )
