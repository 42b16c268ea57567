"""The table `replays`: which dead letters were sent again."""

from collections.abc import Iterable
from datetime import date, datetime

import polars as pl
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from lake.errors import LakeAway
from lake.location import Lake
from lake.opening import open_table
from lake.table_metadata import declare
from lake.table_spec import Column, TableSpec
from lake.table_version import open_version
from lake.writer import WRITER

LETTER = ("stream_id", "kafka_partition", "kafka_offset")
"""What names a dead letter: its place in the stream."""

_INSTANT = pl.Datetime("us", "UTC")

REPLAYS = TableSpec(
    name="replays",
    description="Each dead letter that was sent to the stream again, by its place. One sent twice may be here twice.",
    key=LETTER,
    columns=(
        Column("stream_id", pl.String(), "where the dead letter was landed from: cluster and topic"),
        Column("kafka_partition", pl.Int32(), "where the dead letter was landed from: stream partition"),
        Column("kafka_offset", pl.Int64(), "where the dead letter was landed from: offset in the stream partition"),
        Column("landed_date", pl.Date(), "the day the dead letter was landed", "UTC"),
        Column("replayed_at", _INSTANT, "when it was sent again", "UTC"),
    ),
    partition_by="landed_date",
)

Place = tuple[str, int, int, date]
"""stream_id, stream partition and offset of a dead letter, and its landed_date."""


def declare_replays(lake: Lake) -> None:
    """Creates the table where it is missing. Raises LakeAway, TableConflict."""
    declare(lake, REPLAYS)


def record_replays(lake: Lake, letters: Iterable[Place], replayed_at: datetime) -> None:
    """Remembers what was sent again. Raises LakeAway."""
    rows = [(*letter, replayed_at) for letter in letters]
    uri = lake.table_uri(REPLAYS.name)
    try:
        write_deltalake(
            open_table(lake, REPLAYS.name),
            pl.DataFrame(rows, schema=dict(REPLAYS.schema), orient="row"),
            mode="append",
            writer_properties=WRITER,
        )
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{uri} could not be written: {error}") from error


def scan_replayed(lake: Lake) -> pl.LazyFrame:
    """The dead letters that were sent again, each once: the columns of LETTER and landed_date. Raises LakeAway."""
    return open_version(lake, REPLAYS).scan().select(*LETTER, "landed_date").unique()
