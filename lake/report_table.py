"""A table that is built day by day from other tables."""

from collections.abc import Iterator, Mapping
from datetime import date

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import LakeAway, TableConflict
from lake.location import Lake
from lake.table_metadata import declare
from lake.table_spec import TableSpec
from lake.table_version import DEFINITION, INPUTS, Origin, TableVersion, open_version, record_id, revision_id

WRITER = WriterProperties(compression="ZSTD", compression_level=1)


class ReportTable:
    """Replaces whole days, in one commit that says what they were built from."""

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self._lake = lake
        self._spec = spec

    def declare(self) -> None:
        """Creates the table, or brings its columns and metadata up to the definition. Call it before a change."""
        declare(self._lake, self._spec)

    def read(self) -> TableVersion:
        """The table as it is now. Raises LakeAway."""
        return open_version(self._lake, self._spec)

    def replace(self, seen: TableVersion, origins: Mapping[date, Origin], rows: pl.DataFrame) -> None:
        """Makes `rows` the only rows of the days of `origins`; a day without rows is emptied.

        `seen` was opened before the inputs: what is built from older ones does not replace what others have built
        since. Raises TableConflict then, and LakeAway, and has changed nothing.
        """
        uri = self._lake.table_uri(self._spec.name)
        listed = ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(origins))
        try:
            write_deltalake(
                # A handle of its own: a scan follows its handle when that moves on.
                DeltaTable(uri, version=seen.number, storage_options=dict(self._lake.storage_options)),
                rows.select(list(self._spec.schema)).sort(self._spec.key),
                mode="overwrite",
                predicate=f"{self._spec.partition_by} IN ({listed})",
                schema_mode="merge",
                writer_properties=WRITER,
                commit_properties=CommitProperties(app_transactions=list(_transactions(seen, origins))),
            )
        except CommitFailedError as error:
            raise TableConflict(f"{uri} was changed since it was read: {error}") from error
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{uri} could not be written: {error}") from error


def _transactions(seen: TableVersion, origins: Mapping[date, Origin]) -> Iterator[Transaction]:
    name = seen.spec.name
    for day, origin in origins.items():
        yield Transaction(revision_id(name, day), seen.revision(day) + 1)
        yield Transaction(record_id(name, day, INPUTS), origin.inputs)
        yield Transaction(record_id(name, day, DEFINITION), origin.definition)
