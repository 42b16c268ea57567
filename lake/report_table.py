"""A table that is built day by day from other tables."""

from datetime import date

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.table_metadata import declare
from lake.table_spec import TableSpec
from lake.table_version import TableVersion, open_version, revision_id

WRITER = WriterProperties(compression="ZSTD", compression_level=1)

_ATTEMPTS = 10


class ReportTable:
    """Replaces whole days, each in one commit that says from which revision of its inputs it was built."""

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self._lake = lake
        self._spec = spec
        self._handle: DeltaTable | None = None

    def declare(self) -> None:
        """Creates the table, or brings its columns and metadata up to the definition. Call it before `replace`."""
        declare(self._lake, self._spec)

    def read(self) -> TableVersion:
        """The table as it is now."""
        return open_version(self._lake, self._spec)

    def replace(self, day: date, rows: pl.DataFrame, source_revision: int) -> bool:
        """Makes `rows` the day's only rows; no rows empty it. False where a newer revision is there already.

        Raises TableConflict where others keep writing the same day, and LakeAway.
        """
        uri = self._lake.table_uri(self._spec.name)
        rows = rows.sort(self._spec.key)
        try:
            for _ in range(_ATTEMPTS):
                # A held handle may not know of others' commits; one to the same day fails ours, and is seen then.
                handle = self._handle or DeltaTable(uri, storage_options=dict(self._lake.storage_options))
                self._handle = None
                if (handle.transaction_version(revision_id(self._spec.name, day)) or 0) > source_revision:
                    return False
                try:
                    self._commit(handle, day, rows, source_revision)
                except CommitFailedError:
                    continue
                self._handle = handle
                return True
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{uri} could not be written: {error}") from error
        raise TableConflict(f"{uri}: the day {day} is written by others all the time.")

    def _commit(self, handle: DeltaTable, day: date, rows: pl.DataFrame, source_revision: int) -> None:
        transaction = Transaction(revision_id(self._spec.name, day), source_revision)
        write_deltalake(
            handle,
            rows,
            mode="overwrite",
            predicate=f"{self._spec.partition_by} = '{day.isoformat()}'",
            schema_mode="merge",
            writer_properties=WRITER,
            commit_properties=CommitProperties(app_transactions=[transaction]),
        )
