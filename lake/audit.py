"""Proof from the tables alone that every record was landed once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from lake.location import Lake
from lake.raw import LandedSnapshot, read_snapshot, scan_landed
from lake.raw_schema import DEAD_LETTER, EVENT
from lake.removals import GAP_ACCEPTED, read_removals

_OFFSETS_AT_ONCE = 1_000_000
"""Offsets that are remembered together to find doubled ones: this bounds the memory (measured: 0.4 GiB)."""

_PLACE = ("stream_id", "kafka_partition")
_COUNTS = ("events", "dead_letters", "removed", "found", "doubled", "unfinished", "stray")


@dataclass(frozen=True)
class PartitionAudit:
    """A stream partition: what its offsets promise and what is stored.

    Exact means events + dead letters + removed = next offset − first offset, each offset once. `removed` offsets have
    no row and the table `removals` says why, `missing` ones just have none. `doubled` rows repeat an offset, `stray`
    rows lie outside of what was committed as landed, and `unfinished` ones should be gone: their removal was stopped.
    """

    stream_id: str
    partition: int
    first_offset: int
    next_offset: int
    events: int
    dead_letters: int
    removed: int
    missing: int
    doubled: int
    unfinished: int
    stray: int

    @property
    def exact(self) -> bool:
        """Whether every record was landed once, and is there unless it was removed."""
        return self.missing == self.doubled == self.unfinished == self.stray == 0


@dataclass(frozen=True)
class Audit:
    """All stream partitions that were ever landed, as one snapshot of the table shows them."""

    partitions: list[PartitionAudit]

    @property
    def exact(self) -> bool:
        """Whether every record of every stream partition was landed once."""
        return all(partition.exact for partition in self.partitions)


def audit(lake: Lake) -> Audit:
    """Compares every landed row's offset with what was committed as landed. Raises LakeAway."""
    snapshot = read_snapshot(lake)
    if snapshot is None:
        return Audit([])
    # In this order: removals that are written meanwhile are of rows that the snapshot still has.
    stored = _stored(snapshot, read_removals(lake))
    return Audit(
        [
            _partition_audit(
                place, snapshot.first_offsets.get(place, 0), snapshot.next_offsets.get(place, 0), stored.get(place, {})
            )
            for place in sorted(snapshot.next_offsets.keys() | stored.keys())
        ]
    )


def _partition_audit(
    place: tuple[str, int], first_offset: int, next_offset: int, counts: dict[str, int]
) -> PartitionAudit:
    found = dict.fromkeys(_COUNTS, 0) | counts
    return PartitionAudit(
        *place,
        first_offset,
        next_offset,
        found["events"],
        found["dead_letters"],
        found["removed"],
        next_offset - first_offset - found["found"] - found["removed"],
        found["doubled"],
        found["unfinished"],
        found["stray"],
    )


def _stored(snapshot: LandedSnapshot, removals: pl.DataFrame) -> dict[tuple[str, int], dict[str, int]]:
    """By stream partition the counts of its rows and removals, added up over windows of offsets."""
    promised = pl.DataFrame(
        [(*place, snapshot.first_offsets.get(place, 0), offset) for place, offset in snapshot.next_offsets.items()],
        {"stream_id": pl.String, "kafka_partition": pl.Int32, "promised_first": pl.Int64, "promised_next": pl.Int64},
        orient="row",
    )
    removed = _inside(removals, promised)
    stored: dict[tuple[str, int], dict[str, int]] = {}
    for start, end in _windows(snapshot, removed):
        in_window = pl.col("kafka_offset").is_between(start, end, closed="left")
        rows = scan_landed(snapshot.table).filter(in_window).select("kind", *_PLACE, "kafka_offset")
        counted = _count(rows, _offsets(removed, start, end), promised.lazy())
        for stream_id, partition, *counts in counted.iter_rows():
            total = stored.setdefault((stream_id, partition), dict.fromkeys(_COUNTS, 0))
            for name, count in zip(_COUNTS, counts, strict=True):
                total[name] += count
    return stored


def _inside(removals: pl.DataFrame, promised: pl.DataFrame) -> pl.DataFrame:
    """What of the removals lies within the offsets that were committed as landed."""
    return (
        removals.join(promised, on=_PLACE)
        .select(
            *_PLACE,
            "reason",
            first_offset=pl.max_horizontal("first_offset", "promised_first"),
            # Nobody knows the end of a gap at the end: all of it lies past what was landed.
            next_offset=pl.min_horizontal(pl.col("next_offset").fill_null(0), "promised_next"),
        )
        .filter(pl.col("first_offset") < pl.col("next_offset"))
    )


def _windows(snapshot: LandedSnapshot, removed: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Ranges of offsets that together hold every row once; the files' statistics on offsets prune each."""
    actions: Any = pa.table(snapshot.table.get_add_actions(flatten=True))
    lowest = [pc.min(actions["min.kafka_offset"]).as_py()] if actions.num_rows else []
    highest = [pc.max(actions["max.kafka_offset"]).as_py()] if actions.num_rows else []
    if not removed.is_empty():
        lowest.append(removed["first_offset"].min())
        highest.append(removed["next_offset"].max())
    width = max(1, _OFFSETS_AT_ONCE // max(1, len(snapshot.next_offsets)))
    for start in range(min(lowest, default=0), max(highest, default=-1) + 1, width):
        yield start, start + width


def _offsets(removed: pl.DataFrame, start: int, end: int) -> pl.LazyFrame:
    """Each removed offset of a window."""
    first, following = pl.col("first_offset").clip(start, end), pl.col("next_offset").clip(start, end)
    return (
        removed.lazy()
        .filter(first < following)
        .select(*_PLACE, "reason", kafka_offset=pl.int_ranges(first, following))
        .explode("kafka_offset")
    )


def _count(rows: pl.LazyFrame, removed: pl.LazyFrame, promised: pl.LazyFrame) -> pl.DataFrame:
    """By stream partition the counts in the order of _COUNTS."""
    stray = ~pl.col("kafka_offset").is_between("promised_first", "promised_next", closed="left").fill_null(False)
    is_row, is_removed = pl.col("kind").is_not_null(), pl.col("reason").is_not_null()
    by_offset = (
        pl.concat([rows, removed], how="diagonal")
        .group_by(*_PLACE, "kafka_offset")
        .agg(
            events=(pl.col("kind") == EVENT).sum(),
            dead_letters=(pl.col("kind") == DEAD_LETTER).sum(),
            rows=is_row.sum(),
            named=is_removed.any(),
            # What fell into an accepted gap may have been landed nevertheless.
            deleted=(is_removed & (pl.col("reason") != GAP_ACCEPTED)).any(),
        )
        .join(promised, on=_PLACE, how="left")
        .with_columns(stray=stray)
    )
    there, inside = pl.col("rows") > 0, ~pl.col("stray")
    return (
        by_offset.group_by(_PLACE)
        .agg(
            pl.col("events").sum(),
            pl.col("dead_letters").sum(),
            removed=(pl.col("named") & ~there).sum(),
            found=(there & inside).sum(),
            doubled=(pl.col("rows").filter(there & inside) - 1).sum(),
            unfinished=(there & inside & pl.col("deleted")).sum(),
            stray=pl.col("rows").filter(~inside).sum(),
        )
        .select(*_PLACE, *_COUNTS)
        .collect(engine="streaming")
    )
