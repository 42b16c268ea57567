"""What a report is: a table's description and the plain function that builds its rows."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lake.table_spec import TableSpec


@dataclass(frozen=True)
class Report:
    """A table that is built day by day from other tables.

    `build` takes one LazyFrame per name in `inputs` (`events`, `sessions`), in that order, holding the rows of whole
    days, and answers the rows of those days with the columns of `spec`, in any order of rows. No I/O.
    """

    spec: TableSpec
    inputs: tuple[str, ...]
    build: Callable[..., pl.LazyFrame]

    @property
    def name(self) -> str:
        """The name of the report and of its table."""
        return self.spec.name


def shaped(rows: pl.LazyFrame, spec: TableSpec) -> pl.LazyFrame:
    """Rows with exactly the columns of a table, in its order and types. A value that does not fit raises."""
    return rows.select(pl.col(name).cast(dtype) for name, dtype in spec.schema.items())
