"""The table `events`: rows, the progress they were read up to, and the revisions of their days, in one commit."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
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
from lake.table_version import TableVersion, open_version, revision_id

TAKEN_IN = "taken_in"
"""Who commits the progress of `events`: the offsets of `landed` up to which its rows were read."""


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

    def append(self, seen: TableVersion, rows: pl.DataFrame, next_progress: Progress) -> None:
        """Adds rows. Raises TableConflict and LakeAway, and has then changed nothing."""
        days = rows[self._spec.partition_by].unique()
        with self._changing(seen) as handle:
            write_deltalake(
                handle,
                self._sorted(rows),
                mode="append",
                schema_mode="merge",
                writer_properties=WRITER,
                commit_properties=_transactions(seen, days, next_progress),
            )

    def replace_days(
        self, seen: TableVersion, days: Collection[date], rows: pl.DataFrame, next_progress: Progress | None = None
    ) -> None:
        """Makes `rows` the only rows of these days; the progress stays as it is unless a new one is given.

        Raises TableConflict and LakeAway, and has then changed nothing.
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
                commit_properties=_transactions(seen, days, next_progress or {}),
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


def _transactions(seen: TableVersion, days: Iterable[date], next_progress: Progress) -> CommitProperties:
    revisions = [Transaction(revision_id(seen.spec.name, day), seen.revision(day) + 1) for day in days]
    before = taken_in(seen)
    moved = {place: offset for place, offset in next_progress.items() if before.get(place) != offset}
    progress = [Transaction(app_id(TAKEN_IN, *place), offset) for place, offset in moved.items()]
    return CommitProperties(app_transactions=[*revisions, *progress])
