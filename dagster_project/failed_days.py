"""Days that failed a check are looked at again until they pass, though later runs of the check are of other days."""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES

FAILED_DAYS = "failed days"

_REMEMBERED = 366


def look_again(
    instance: dg.DagsterInstance,
    check: dg.AssetCheckKey,
    days: Sequence[date],
    look: Callable[[Sequence[date]], dg.AssetCheckResult],
) -> dg.AssetCheckResult:
    """What a check says of the days of a run, and of those that failed the last time.

    Where only such do, it is a warning: it stays in sight, and stops no run that is not of them.
    """
    result = look(days)
    failed = [] if result.passed else list(days)
    earlier = sorted(_failed_before(instance, check).difference(days))
    if earlier and not (again := look(earlier)).passed:
        failed += earlier
        if result.passed:
            result = again._replace(severity=dg.AssetCheckSeverity.WARN)
    if not failed:
        return result
    remembered = dg.MetadataValue.json([day.isoformat() for day in sorted(failed)[-_REMEMBERED:]])
    return result._replace(metadata={**result.metadata, FAILED_DAYS: remembered})


def _failed_before(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> set[date]:
    latest = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status=set(COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES)
    )
    evaluation = latest[0].evaluation if latest else None
    days = evaluation.metadata.get(FAILED_DAYS) if evaluation else None
    return {date.fromisoformat(day) for day in days.value or ()} if isinstance(days, dg.JsonMetadataValue) else set()
