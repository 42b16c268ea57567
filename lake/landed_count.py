"""How many records were landed and how many there are, from logs alone: what can be asked every minute."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from lake.location import Lake
from lake.progress import Progress
from lake.raw import open_landed, read_snapshot
from lake.raw_schema import DEAD_LETTER, EVENT
from lake.removals import read_removals


@dataclass(frozen=True)
class LandedCount:
    """Records by offset that were landed, rows there are, and records that were removed or never came.

    While a removal goes on, its rows are there and counted as removed. The audit looks at each offset; this does not.
    """

    landed: int
    events: int
    dead_letters: int
    removed: int

    @property
    def holds(self) -> bool:
        """Whether no row is missing and none is there twice, as far as numbers tell."""
        return self.landed - self.removed <= self.events + self.dead_letters <= self.landed


def count_landed_records(lake: Lake) -> LandedCount:
    """Counts all of the table `landed`. Raises LakeAway."""
    snapshot = read_snapshot(lake)
    if snapshot is None:
        return LandedCount(0, 0, 0, 0)
    rows = _rows_by_kind_and_day(pa.table(snapshot.table.get_add_actions(flatten=True)))
    first, following = snapshot.first_offsets, snapshot.next_offsets
    return LandedCount(
        landed=sum(offset - first.get(place, 0) for place, offset in following.items()),
        events=sum(count for (kind, _), count in rows.items() if kind == EVENT),
        dead_letters=sum(count for (kind, _), count in rows.items() if kind == DEAD_LETTER),
        removed=_removed(lake, first, following),
    )


def landed_on(lake: Lake, first: date, last: date) -> tuple[int, int]:
    """How many events and dead letters were landed from one day (UTC) to another. Raises LakeAway."""
    table = open_landed(lake)
    rows = {} if table is None else _rows_by_kind_and_day(pa.table(table.get_add_actions(flatten=True)))
    events, dead_letters = (
        sum(count for (of_kind, day), count in rows.items() if of_kind == kind and first <= day <= last)
        for kind in (EVENT, DEAD_LETTER)
    )
    return events, dead_letters


def _rows_by_kind_and_day(files: pa.Table) -> dict[tuple[str, date], int]:
    counted: dict[tuple[str, date], int] = defaultdict(int)
    columns = (files[name].to_pylist() for name in ("partition.kind", "partition.landed_date", "num_records"))
    for kind, day, count in zip(*columns, strict=True):
        counted[kind, day] += count
    return counted


def _removed(lake: Lake, first: Progress, following: Progress) -> int:
    """How many offsets are in any run of removals; runs may overlap."""
    runs = read_removals(lake).select("stream_id", "kafka_partition", "first_offset", "next_offset")
    removed = 0
    reached: dict[tuple[str, int], int] = dict(first)
    for stream_id, partition, start, end in runs.sort("stream_id", "kafka_partition", "first_offset").iter_rows():
        place = (stream_id, partition)
        if place not in following:
            continue
        begin = max(start, reached.get(place, 0))
        # Nobody knows the end of a gap at the end: all of it lies past what was landed.
        stop = min(end if end is not None else 0, following[place])
        removed += max(0, stop - begin)
        reached[place] = max(reached.get(place, 0), stop)
    return removed
