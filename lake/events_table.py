"""The table `events`: rows, the progress they were read up to, and the revisions of their days, in one commit."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.day_files import DayFiles
from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.progress import Progress, app_id, progress_of
from lake.table_metadata import declare
from lake.table_spec import TableSpec
from lake.table_version import DEFINITION, TableVersion, open_version, record_id, revision_id

TAKEN_IN = "taken_in"
"""Who commits the progress of `events`: the offsets of `landed` up to which its rows were read."""

LANDED = "landed"
"""The number of a day of landing: it changes with the events of that day that count, and with how many there are."""


@dataclass(frozen=True)
class Definition:
    """How rows are made: a number of 63 bits, and transactions by which the next writer knows what it is for."""

    number: int
    transactions: Mapping[str, int]


def taken_in(events: TableVersion) -> Progress:
    """How far a version of `events` has read what was landed."""
    return progress_of(TAKEN_IN, events.transactions)


Rows = pl.DataFrame | Iterator[pl.DataFrame]
"""Rows of any days, all at once or some at a time: so many are then in memory together."""

_ATTEMPTS = 10


class EventsTable:
    """Changes `events`. Each change is made to the version it was decided on: it comes whole, or not at all.

    A commit that touches a day carries the day's next revision, and one that takes in landed rows their offsets, so
    that of two commits decided on the same version and for the same day or stream partition, one fails. Compaction
    moves none of these numbers, and makes no commit fail.
    """

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self._lake = lake
        self._spec = spec

    def declare(self) -> None:
        """Creates the table, or brings its columns and metadata up to the definition. Call it before a change."""
        declare(self._lake, self._spec)

    def read(self) -> TableVersion:
        """The table as it is now. Raises LakeAway."""
        return open_version(self._lake, self._spec)

    def append(
        self,
        seen: TableVersion,
        rows: Rows,
        next_progress: Progress,
        landed_on: Collection[date] = (),
        definition: Definition | None = None,
    ) -> None:
        """Adds rows. Raises TableConflict and LakeAway, and has then changed nothing.

        A day that has older rows keeps their definition. `landed_on`: the days of landing of what was taken in.
        """
        files = self._write(rows)
        defined = [day for day in files.days if seen.revision(day) == 0]
        self._commit(seen, files, None, _numbers(seen, files.days, next_progress, landed_on, defined, definition))

    def replace_days(
        self,
        seen: TableVersion,
        days: Collection[date],
        rows: Rows,
        next_progress: Progress | None = None,
        *,
        landed_on: Collection[date] = (),
        definition: Definition | None = None,
    ) -> int:
        """Makes `rows`, which are of these days, their only rows, and answers how many they are.

        The progress stays unless a new one is given. `landed_on`: the days of landing of all rows that were there, come
        or were taken in. `definition`: where all rows are made by it. Raises TableConflict and LakeAway, and has then
        changed nothing.
        """
        files = self._write(rows)
        if others := files.days - set(days):
            raise ValueError(f"there are rows of {min(others)}, which is not among the days to replace")
        self._commit(seen, files, days, _numbers(seen, days, next_progress or {}, landed_on, days, definition))
        return files.rows

    def _write(self, rows: Rows) -> DayFiles:
        """New files that no version of the table has yet."""
        files = DayFiles(self._lake, self._spec)
        try:
            for some in [rows] if isinstance(rows, pl.DataFrame) else rows:
                files.write(some)
        except OSError as error:
            raise LakeAway(f"{self._uri} could not be written: {error}") from error
        return files

    def _commit(
        self, seen: TableVersion, files: DayFiles, replaced: Collection[date] | None, numbers: Mapping[str, int]
    ) -> None:
        """Adds the files, instead of all those of the replaced days, unless one of the numbers has moved."""
        for _ in range(_ATTEMPTS):
            now = self.read()
            if now.handle is None or any(now.transactions.get(name) != seen.transactions.get(name) for name in numbers):
                raise TableConflict(f"{self._uri} was changed since it was read.")
            try:
                # Past this point a commit that moves one of the numbers fails this one.
                now.handle.create_write_transaction(
                    files.actions,
                    "append" if replaced is None else "overwrite",
                    now.handle.schema(),
                    self._spec.partition_by,
                    partition_filters=None if replaced is None else self._partitions(replaced),
                    commit_properties=CommitProperties(
                        app_transactions=[Transaction(name, number) for name, number in numbers.items()]
                    ),
                )
            except CommitFailedError:
                continue
            except (DeltaError, OSError) as error:
                raise LakeAway(f"{self._uri} could not be written: {error}") from error
            return
        raise TableConflict(f"{self._uri} is changed by others all the time.")

    def _partitions(self, days: Collection[date]) -> list[tuple[str, str, list[str]]]:
        return [(self._spec.partition_by, "in", [day.isoformat() for day in sorted(days)])]

    @property
    def _uri(self) -> str:
        return self._lake.table_uri(self._spec.name)


def _numbers(
    seen: TableVersion,
    days: Collection[date],
    next_progress: Progress,
    landed_on: Collection[date],
    defined: Collection[date],
    definition: Definition | None,
) -> dict[str, int]:
    """The transactions of a commit that touches these days."""
    name, before, landed = seen.spec.name, taken_in(seen), seen.recorded(LANDED)
    moved = {place: offset for place, offset in next_progress.items() if before.get(place) != offset}
    numbers = {
        **{revision_id(name, day): seen.revision(day) + 1 for day in days},
        **{record_id(name, day, LANDED): landed.get(day, 0) + 1 for day in landed_on},
        **{app_id(TAKEN_IN, *place): offset for place, offset in moved.items()},
    }
    if definition is not None:
        numbers |= {
            **{record_id(name, day, DEFINITION): definition.number for day in defined},
            **definition.transactions,
        }
    return numbers
