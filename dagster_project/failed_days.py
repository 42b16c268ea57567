"""Days that failed a check are looked at again until they pass, though later runs of the check are of other days."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    """What a check says of the days of a run, and of those that failed the last time: all, or those it names itself.

    Where only such do, it is a warning: it stays in sight, and stops no run that is not of them.
    """
    result = look(days)
    failed = _failed(result, days)
    earlier = sorted(_failed_before(instance, check).difference(days))
    if earlier and not (again := look(earlier)).passed:
        failed |= _failed(again, earlier)
        if result.passed:
            result = again._replace(severity=dg.AssetCheckSeverity.WARN)
    if not failed:
        return result
    return result._replace(metadata={**result.metadata, FAILED_DAYS: named(failed)})


def _failed_before(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> set[date]:
    latest = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status=set(COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES)
    )
    evaluation = latest[0].evaluation if latest else None
    return _named(evaluation.metadata) if evaluation else set()


def _failed(result: dg.AssetCheckResult, days: Sequence[date]) -> set[date]:
    return set() if result.passed else _named(result.metadata) or set(days)


def _named(metadata: Mapping[str, dg.MetadataValue]) -> set[date]:
    days = metadata.get(FAILED_DAYS)
    return {date.fromisoformat(day) for day in days.value or ()} if isinstance(days, dg.JsonMetadataValue) else set()


def named(days: Iterable[date]) -> dg.JsonMetadataValue:
    """Days as the metadata FAILED_DAYS of a check: the latest year of them."""
    return dg.MetadataValue.json([day.isoformat() for day in sorted(days)[-_REMEMBERED:]])
