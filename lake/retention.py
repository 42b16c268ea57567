"""Deleting raw rows that were landed long enough ago, a whole day at a time."""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.progress import Progress
from lake.raw import open_landed, scan_landed
from lake.raw_schema import EVENT, TABLE
from lake.removals import EXPIRED, record, runs

_PLACE = ("stream_id", "kafka_partition", "kafka_offset", "kind", "landed_date")
_ATTEMPTS = 20


@dataclass(frozen=True)
class Expired:
    """Rows of one kind that were deleted, and the days that `events` had not taken in, which stay."""

    rows: int
    days: int
    days_kept: int


def expire(lake: Lake, kind: str, before: date, *, taken_in: Progress, now: datetime) -> Expired:
    """Deletes the rows of a kind that were landed before a day, after it has recorded them in `removals`.

    A day with an event that is not below `taken_in` stays: `events` would miss it. Stopped at any point, it is to be
    repeated. The files go at once; a reader of an older version fails, and finds the next one when it tries again.
    Raises LakeError.
    """
    rows, expired, kept = 0, 0, 0
    for day in _days(lake, kind, before):
        count = _expire_day(lake, kind, day, taken_in, now)
        if count is None:
            kept += 1
        else:
            rows += count
            expired += 1
    _delete_files(lake)
    return Expired(rows, expired, kept)


def _days(lake: Lake, kind: str, before: date) -> list[date]:
    table = open_landed(lake)
    partitions = [] if table is None else table.partitions()
    days = (date.fromisoformat(str(each["landed_date"])) for each in partitions if each["kind"] == kind)
    return sorted(day for day in days if day < before)


def _expire_day(lake: Lake, kind: str, day: date, taken_in: Progress, now: datetime) -> int | None:
    """How many rows were deleted; None where the day has to stay."""
    for _ in range(_ATTEMPTS):
        table = open_landed(lake)
        if table is None:
            return 0
        rows = (
            scan_landed(table)
            .filter(pl.col("kind") == kind, pl.col("landed_date") == day)
            .select(_PLACE)
            .collect(engine="streaming")
        )
        if kind == EVENT and not _all_below(rows, taken_in):
            return None
        record(lake, runs(rows, EXPIRED, now))
        # The handle that the rows were read through: what was landed on that day since fails it.
        if _delete(lake, table, f"kind = '{kind}' AND landed_date = DATE '{day.isoformat()}'"):
            return rows.height
    raise TableConflict(f"The day {day} of {lake.table_uri(TABLE)} is changed by others all the time.")


def _all_below(rows: pl.DataFrame, progress: Progress) -> bool:
    ends = rows.group_by("stream_id", "kafka_partition").agg(pl.col("kafka_offset").max())
    return all(offset < progress.get((stream, partition), 0) for stream, partition, offset in ends.iter_rows())


def _delete(lake: Lake, table: DeltaTable, condition: str) -> bool:
    try:
        table.delete(condition)
    except CommitFailedError:
        return False
    except (DeltaError, OSError) as error:
        raise LakeAway(f"Rows of {lake.table_uri(TABLE)} could not be deleted: {error}") from error
    return True


def _delete_files(lake: Lake) -> None:
    table = open_landed(lake)
    try:
        if table is not None:
            table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{lake.table_uri(TABLE)} could not be vacuumed: {error}") from error
