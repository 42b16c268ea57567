"""Deletes runs that nobody will ask for any more: a busy home makes two thousand a day."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable


@dataclass(frozen=True)
class Kept:
    """How long finished runs are kept, and how many at most: a run of all tables takes about a megabyte."""

    age: timedelta
    runs: int


AUTOMATIC = Kept(timedelta(days=1), 100)
"""Runs that a sensor or schedule started and that went well."""

OTHERS = Kept(timedelta(days=7), 300)
"""Runs that failed, or that a person started."""


def delete_old_runs(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey], now: datetime) -> int:
    """Deletes old finished runs with their logs and check results; answers how many.

    Whatever its age, a run stays that was the last to build some day: with it Dagster would forget that it is built.
    """
    needed = {run_id for asset in assets for run_id in _last_builders(instance, asset)}
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    newest_first = instance.get_run_records(dg.RunsFilter(statuses=finished))
    deleted = [run_id for run_id in _past_their_time(newest_first, now) if run_id not in needed]
    for run_id in deleted:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    _delete_check_results(instance, deleted)
    return len(deleted)


def _past_their_time(newest_first: Iterable[dg.RunRecord], now: datetime) -> Iterator[str]:
    counted: Counter[Kept] = Counter()
    for record in newest_first:
        kept = AUTOMATIC if _is_automatic(record.dagster_run) else OTHERS
        counted[kept] += 1
        if counted[kept] > kept.runs or now - record.create_timestamp > kept.age:
            yield record.dagster_run.run_id


def _is_automatic(run: dg.DagsterRun) -> bool:
    return run.is_success and any(tag in run.tags for tag in ("dagster/sensor_name", "dagster/schedule_name"))


def _last_builders(instance: dg.DagsterInstance, asset: dg.AssetKey) -> set[str]:
    """The runs that built the partitions of an asset as they are now."""
    latest = instance.event_log_storage.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    if not latest:
        return set()
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(latest.values())), limit=len(latest)
    ).records
    return {record.run_id for record in records}


def _delete_check_results(instance: dg.DagsterInstance, run_ids: Collection[str]) -> None:
    """Dagster keeps them when their run is deleted, for ever."""
    storage = instance.event_log_storage
    if run_ids and isinstance(storage, SqlEventLogStorage):
        results = AssetCheckExecutionsTable
        with storage.index_connection() as connection:
            connection.execute(results.delete().where(results.c.run_id.in_(run_ids)))
