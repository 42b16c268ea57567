"""Parquet files of a table's days, written some rows at a time; they are in the table once a commit names them.

deltalake's own writer holds all rows of a replacement in memory and costs twice the processor time.
"""

import json
import time
from collections.abc import Iterator
from datetime import date, datetime
from uuid import uuid4

import polars as pl
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction
from pyarrow.fs import PyFileSystem

from lake.errors import LakeAway
from lake.location import Lake
from lake.table_metadata import pruning_columns
from lake.table_spec import TableSpec

_SORTED_BY = "site"
"""Whoever reads one site of a large file skips the pages of others."""


Rows = pl.DataFrame | Iterator[pl.DataFrame]
"""Rows of any days, all at once or some at a time: so many are then in memory together."""


def written(lake: Lake, spec: TableSpec, rows: Rows) -> "DayFiles":
    """New files of these rows that no version of the table has yet. Raises LakeAway."""
    files = DayFiles(lake, spec)
    try:
        for some in [rows] if isinstance(rows, pl.DataFrame) else rows:
            files.write(some)
    except OSError as error:
        raise LakeAway(f"{lake.table_uri(spec.name)} could not be written: {error}") from error
    return files


class DayFiles:
    """Writes rows as new files, a file for each day among them, and holds the actions that add those to the table."""

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self._spec = spec
        self._uri = lake.table_uri(spec.name)
        self._options = dict(lake.storage_options)
        self._store = PyFileSystem(DeltaStorageHandler(self._uri, self._options))
        self.actions: list[AddAction] = []
        self.days: set[date] = set()
        self.rows = 0

    def write(self, rows: pl.DataFrame) -> None:
        """Writes rows of any days. Raises OSError."""
        rows = rows.select(list(self._spec.schema))
        days = rows[self._spec.partition_by].unique().sort()
        for day in days:
            # Most often there is one day, and nothing to copy.
            of_day = rows if len(days) == 1 else rows.filter(pl.col(self._spec.partition_by) == day)
            self._write_day(day, of_day.drop(self._spec.partition_by))

    def _write_day(self, day: date, rows: pl.DataFrame) -> None:
        if not rows[_SORTED_BY].is_sorted():
            rows = rows.sort(_SORTED_BY, maintain_order=True)
        path = f"{self._spec.partition_by}={day.isoformat()}/part-{uuid4()}.zstd.parquet"
        rows.write_parquet(
            f"{self._uri}/{path}",
            compression="zstd",
            compression_level=1,
            statistics=False,
            storage_options=self._options,
            mkdir=True,
        )
        self.actions.append(
            AddAction(
                path=path,
                size=self._store.get_file_info(path).size,
                partition_values={self._spec.partition_by: day.isoformat()},
                modification_time=int(time.time() * 1_000),
                data_change=True,
                stats=json.dumps(self._stats(rows)),
            )
        )
        self.days.add(day)
        self.rows += rows.height

    def _stats(self, rows: pl.DataFrame) -> dict[str, object]:
        told = [rows[name] for name in pruning_columns(self._spec)]
        known = [column for column in told if column.null_count() < rows.height]
        return {
            "numRecords": rows.height,
            "minValues": {column.name: _as_text(column.min()) for column in known},
            "maxValues": {column.name: _as_text(column.max()) for column in known},
            "nullCount": {column.name: column.null_count() for column in told},
        }


def _as_text(value: object) -> str:
    """A text, a date or an instant of UTC as the log writes it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)
