"""The table `removals`: which records of the stream are not in `landed` any more, or never came there, and why.

It is written before anything is deleted, so that whatever happens then, the audit can tell what was removed from what
was lost.
"""

from datetime import datetime

import polars as pl
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from lake.errors import LakeAway
from lake.location import Lake
from lake.table_metadata import declare
from lake.table_spec import Column, TableSpec
from lake.table_version import open_version
from lake.writer import WRITER

ERASED = "erased"
EXPIRED = "expired"
GAP_ACCEPTED = "gap_accepted"

REMOVALS = TableSpec(
    name="removals",
    description=(
        "Records of the stream that are not in landed any more, or never came there: erased, expired, or a gap that "
        "was accepted. One row is a run of neighbouring offsets; runs may overlap where a removal was repeated."
    ),
    key=("stream_id", "kafka_partition", "first_offset", "removed_at"),
    partition_by="removed_date",
    columns=(
        Column("stream_id", pl.String(), "which stream: cluster and topic"),
        Column("kafka_partition", pl.Int32(), "which stream partition"),
        Column("first_offset", pl.Int64(), "the first offset of the run"),
        Column("next_offset", pl.Int64(), "one past its last; null where the end is not known"),
        Column("kind", pl.String(), "what the records were: event or dead_letter; null where nobody can know"),
        Column("landed_date", pl.Date(), "the day they were landed; null where they never were", "UTC"),
        Column("reason", pl.String(), f"{ERASED}, {EXPIRED} or {GAP_ACCEPTED}"),
        Column("asked", pl.String(), "of an erasure: keyed digest of the id that was asked to be erased"),
        Column("removed_at", pl.Datetime("us", "UTC"), "when it was decided", "UTC"),
        Column("removed_date", pl.Date(), "the day of removed_at", "UTC"),
    ),
)


def runs(rows: pl.DataFrame, reason: str, removed_at: datetime, asked: str | None = None) -> pl.DataFrame:
    """The removals of landed rows (stream_id, kafka_partition, kafka_offset, kind, landed_date). No I/O."""
    group = ("stream_id", "kafka_partition", "kind", "landed_date")
    # Of neighbouring offsets, offset minus rank is the same.
    return (
        rows.select(*group, "kafka_offset")
        .unique()
        .sort(*group, "kafka_offset")
        .with_columns(run=pl.col("kafka_offset") - pl.int_range(pl.len()).over(group))
        .group_by(*group, "run", maintain_order=True)
        .agg(first_offset=pl.col("kafka_offset").min(), next_offset=pl.col("kafka_offset").max() + 1)
        .with_columns(reason=pl.lit(reason), asked=pl.lit(asked, pl.String()))
        .pipe(_dated, removed_at)
    )


def gap(place: tuple[str, int], first_offset: int, next_offset: int | None, removed_at: datetime) -> pl.DataFrame:
    """The removal of records that were never landed: they are gone from the broker, and somebody accepted that."""
    row = {
        "stream_id": place[0],
        "kafka_partition": place[1],
        "first_offset": first_offset,
        "next_offset": next_offset,
        "reason": GAP_ACCEPTED,
    }
    schema = {name: REMOVALS.schema[name] for name in REMOVALS.schema if name not in {"removed_at", "removed_date"}}
    return pl.DataFrame([row], schema).pipe(_dated, removed_at)


def record(lake: Lake, removals: pl.DataFrame) -> None:
    """Adds removals in one commit; only then may their rows be deleted. Raises LakeError."""
    if removals.is_empty():
        return
    declare(lake, REMOVALS)
    uri = lake.table_uri(REMOVALS.name)
    try:
        write_deltalake(
            uri, removals, mode="append", writer_properties=WRITER, storage_options=dict(lake.storage_options)
        )
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{uri} could not be written: {error}. Nothing was deleted.") from error


def read_removals(lake: Lake) -> pl.DataFrame:
    """All that was ever removed. Raises LakeAway."""
    return open_version(lake, REMOVALS).scan().collect(engine="streaming")


def _dated(removals: pl.DataFrame, removed_at: datetime) -> pl.DataFrame:
    return removals.with_columns(
        removed_at=pl.lit(removed_at, REMOVALS.schema["removed_at"]),
        removed_date=pl.lit(removed_at.date(), pl.Date()),
    ).select(pl.col(name).cast(dtype) for name, dtype in REMOVALS.schema.items())
