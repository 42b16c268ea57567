"""What a table says of itself, kept in the Delta table's own metadata."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Column:
    """A column: its Polars type, what it means, and its unit where it has one.

    `additive` says whether values of several rows may be added up: page views may, visitors may not.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    unit: str = ""
    additive: bool = False


@dataclass(frozen=True)
class TableSpec:
    """A table that is replaced day by day: one row per key, partitioned by the date column `partition_by`.

    `single_rows`: its rows are single events, visits or people, to build reports from; nobody is shown them.
    """

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: str = "date"
    single_rows: bool = False

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column, in the table's order."""
        return {column.name: column.dtype for column in self.columns}
