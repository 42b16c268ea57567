"""The raw rows as readers see them: raw_events and dead_letters, the two kinds of the table `landed`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.errors import LakeAway
from lake.location import Lake
from lake.opening import open_table
from lake.progress import Progress, progress_of
from lake.raw_schema import DEAD_LETTER, DEAD_LETTER_COLUMNS, EVENT, EVENT_COLUMNS, LANDED, PLACE, TABLE
from lake.schema_version import known
from lake.transactions import read_transactions

LANDING = "landing"
"""Who commits the progress of the table `landed`."""

LANDING_FIRST = "landing_first"
"""The same for the offset that a stream partition was first landed from; committed once."""

_PLACE_NAMES = [name for name in PLACE.names if name != "kind"]
_EVENT_NAMES = [*_PLACE_NAMES, *EVENT_COLUMNS.names]
_DEAD_LETTER_NAMES = [*_PLACE_NAMES, "site", "received_at", *DEAD_LETTER_COLUMNS.names]

_FIRST_LOOK = timedelta(minutes=10)


@dataclass(frozen=True)
class LandedSince:
    """What was landed above a progress, as one snapshot of the table shows it.

    `rows` are the new events, columns as in scan_raw_events; `next_progress` is the progress to ask with next time,
    to be stored in the same commit as what was made of the rows; `version` is the snapshot's version.
    """

    rows: pl.LazyFrame
    next_progress: Progress
    version: int


@dataclass(frozen=True)
class LandedSnapshot:
    """The table `landed` at one version: `first_offsets` and `next_offsets` say which records its rows are."""

    table: DeltaTable
    first_offsets: Progress
    next_offsets: Progress


def open_landed(lake: Lake, *, without_files: bool = False) -> DeltaTable | None:
    """The table `landed` as it is now; None where it has not been created. Raises LakeAway, TableNewer.

    `without_files` is for those that only append: the list of files, which makes each commit slower, is not loaded.
    """
    uri = lake.table_uri(TABLE)
    try:
        return known(TABLE, open_table(lake, TABLE, without_files=without_files))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{uri} could not be opened: {error}") from error


def read_snapshot(lake: Lake) -> LandedSnapshot | None:
    """The table `landed` as it is now, with its progress; None where it has not been created. Raises LakeAway."""
    while (table := open_landed(lake)) is not None:
        try:
            transactions = read_transactions(lake, TABLE, table.version())
        except OSError as error:
            raise LakeAway(f"The log of {lake.table_uri(TABLE)} could not be read: {error}") from error
        if transactions is not None:
            return LandedSnapshot(table, progress_of(LANDING_FIRST, transactions), progress_of(LANDING, transactions))
    return None


def scan_landed(table: DeltaTable | None) -> pl.LazyFrame:
    """All landed rows of a snapshot, of both kinds."""
    return _empty(LANDED) if table is None else pl.scan_delta(table)


def scan_raw_events(lake: Lake) -> pl.LazyFrame:
    """Every landed event: its place (without kind) and the event's columns. Empty where nothing has been landed."""
    return scan_landed(open_landed(lake)).filter(pl.col("kind") == EVENT).select(_EVENT_NAMES)


def scan_dead_letters(lake: Lake) -> pl.LazyFrame:
    """Every dead letter: its place, reason and bytes; site and received_at where they are known."""
    return scan_landed(open_landed(lake)).filter(pl.col("kind") == DEAD_LETTER).select(_DEAD_LETTER_NAMES)


def count_landed(lake: Lake) -> dict[str, int]:
    """How many rows of each kind are landed, from the log alone."""
    counted = landed_by_day(open_landed(lake))
    return {kind: sum(counted.get(kind, {}).values()) for kind in (EVENT, DEAD_LETTER)}


def landed_by_day(table: DeltaTable | None) -> dict[str, dict[date, int]]:
    """How many rows of each kind were landed on each day, from the log alone."""
    if table is None:
        return {}
    actions = pa.table(table.get_add_actions(flatten=True))
    names = ("partition.kind", "partition.landed_date", "num_records")
    counted: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for kind, day, rows in zip(*(actions[name].to_pylist() for name in names), strict=True):
        counted[kind][day] += rows
    return counted


def read_landed_since(lake: Lake, progress: Progress) -> LandedSince:
    """The events at or above a progress; a stream partition that is not in it counts from its beginning.

    Costs what is new, not what is stored: it looks back from the newest landed row, further and further, until
    as many records as the offsets promise are found. No clock is trusted for that.
    """
    snapshot = read_snapshot(lake)
    if snapshot is None:
        return LandedSince(scan_landed(None).select(_EVENT_NAMES), dict(progress), 0)
    table = snapshot.table
    next_progress = {**progress, **snapshot.next_offsets}
    promised = {place: offset - progress.get(place, 0) for place, offset in snapshot.next_offsets.items()}
    promised = {place: count for place, count in promised.items() if count > 0}
    new = pl.any_horizontal(pl.lit(False), *(_at_or_above(place, progress.get(place, 0)) for place in promised))
    rows = scan_landed(table).filter(new) if promised else scan_landed(None)
    for horizon in _horizons(table) if promised else ():
        recent = rows.filter(horizon)
        if _count(recent) == promised:
            rows = recent
            break
    return LandedSince(rows.filter(pl.col("kind") == EVENT).select(_EVENT_NAMES), next_progress, table.version())


def _at_or_above(place: tuple[str, int], offset: int) -> pl.Expr:
    stream_id, partition = place
    here = (pl.col("stream_id") == stream_id) & (pl.col("kafka_partition") == partition)
    return here & (pl.col("kafka_offset") >= offset)


def _horizons(table: DeltaTable) -> Iterator[pl.Expr]:
    """Conditions that let through ever more of the past; landed_date prunes partitions, landed_at files."""
    actions = pa.table(table.get_add_actions(flatten=True))
    newest, oldest = pc.max(actions["max.landed_at"]).as_py(), pc.min(actions["min.landed_at"]).as_py()
    back = _FIRST_LOOK
    # None: there is not a row, all were erased.
    while newest is not None and newest - back > oldest:
        start = newest - back
        yield (pl.col("landed_date") >= start.date()) & (pl.col("landed_at") >= start)
        back *= 8


def _count(rows: pl.LazyFrame) -> dict[tuple[str, int], int]:
    counted = rows.group_by("stream_id", "kafka_partition").agg(pl.len()).collect(engine="streaming")
    return {(stream_id, partition): count for stream_id, partition, count in counted.iter_rows()}


def _empty(schema: pa.Schema) -> pl.LazyFrame:
    return pl.DataFrame(schema.empty_table()).lazy()
