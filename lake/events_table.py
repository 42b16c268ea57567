"""The table `events`: rows, the progress they were read up to, and the revisions of their days, in one commit."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.progress import Progress, app_id, progress_of
from lake.report_table import WRITER
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


class EventsTable:
    """Changes `events`. Each change is made to the version it was decided on: it comes whole, or not at all.

    A commit that touches a day carries the day's next revision, and one that takes in landed rows their offsets, so
    that of two commits decided on the same version and for the same day or stream partition, one fails.
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
        rows: pl.DataFrame,
        next_progress: Progress,
        landed_on: Collection[date] = (),
        definition: Definition | None = None,
    ) -> None:
        """Adds rows. Raises TableConflict and LakeAway, and has then changed nothing.

        A day that has older rows keeps their definition. `landed_on`: the days of landing of what was taken in.
        """
        days = set(rows[self._spec.partition_by])
        defined = [day for day in days if seen.revision(day) == 0]
        with self._changing(seen) as handle:
            write_deltalake(
                handle,
                self._sorted(rows),
                mode="append",
                schema_mode="merge",
                writer_properties=WRITER,
                commit_properties=_commit(seen, days, next_progress, landed_on, defined, definition),
            )

    def replace_days(
        self,
        seen: TableVersion,
        days: Collection[date],
        rows: pl.DataFrame,
        next_progress: Progress | None = None,
        landed_on: Collection[date] = (),
        definition: Definition | None = None,
    ) -> None:
        """Makes `rows` the only rows of these days; the progress stays as it is unless a new one is given.

        `landed_on`: the days of landing of all rows that were there, come or were taken in. `definition`: where all
        rows are made by it. Raises TableConflict and LakeAway, and has then changed nothing.
        """
        listed = ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days))
        with self._changing(seen) as handle:
            write_deltalake(
                handle,
                self._sorted(rows),
                mode="overwrite",
                predicate=f"{self._spec.partition_by} IN ({listed})",
                schema_mode="merge",
                writer_properties=WRITER,
                commit_properties=_commit(seen, days, next_progress or {}, landed_on, days, definition),
            )

    def _sorted(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(list(self._spec.schema)).sort(self._spec.key)

    @contextmanager
    def _changing(self, seen: TableVersion) -> Iterator[DeltaTable]:
        uri = self._lake.table_uri(self._spec.name)
        try:
            # A handle of its own: a scan follows its handle when that moves on.
            yield DeltaTable(uri, version=seen.number, storage_options=dict(self._lake.storage_options))
        except CommitFailedError as error:
            raise TableConflict(f"{uri} was changed since it was read: {error}") from error
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{uri} could not be written: {error}") from error


def _commit(
    seen: TableVersion,
    days: Collection[date],
    next_progress: Progress,
    landed_on: Collection[date],
    defined: Collection[date],
    definition: Definition | None,
) -> CommitProperties:
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
    return CommitProperties(app_transactions=[Transaction(name, number) for name, number in numbers.items()])
