"""A landing table in memory: the same fence, without files."""

from collections.abc import Iterable

import pyarrow as pa

from lake.errors import LandingConflict
from lake.progress import Progress
from lake.raw_schema import LANDED


class MemoryTable:
    """What is stored, seen by all that land in it."""

    def __init__(self) -> None:
        self.rows = LANDED.empty_table()
        self.next_offsets: dict[tuple[str, int], int] = {}
        self.version = 0


class MemoryLandingTable:
    """A LandingTable on a MemoryTable. Like a held Delta handle it is one writer's view and may be stale."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table
        self._seen = dict(table.next_offsets)

    def landed(self, places: Iterable[tuple[str, int]]) -> Progress:
        self._seen = dict(self._table.next_offsets)
        return {place: self._seen[place] for place in places if place in self._seen}

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        for place, first in first_offsets.items():
            if self._seen.get(place, first) != first:
                raise LandingConflict(f"{place} stands at {self._seen[place]}, the batch begins at {first}")
            if self._table.next_offsets.get(place) != self._seen.get(place):
                raise LandingConflict(f"{place} was landed by another writer")
        self._table.rows = pa.concat_tables([self._table.rows, events, dead_letters])
        self._table.next_offsets.update(next_offsets)
        # As a commit that is rebased does: the view moves past what others have committed.
        self._seen = dict(self._table.next_offsets)
