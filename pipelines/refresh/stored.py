"""Whether a report's table is what a rebuild would make of its inputs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.location import Lake
from pipelines.refresh.inputs import Opened
from pipelines.refresh.reports import stale_partitions
from pipelines.refresh.slices import build_slice, slices
from pipelines.reports.report import Report
from sites import Site

_NEAR = 1e-9
"""How far apart (relative) sums of the same numbers may be that were added up in another order."""


@dataclass(frozen=True)
class Difference:
    """Rows of a partition by what a rebuild would do to them, and the columns it would change."""

    rows: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether the table is what a rebuild would make."""
        return self.added == self.removed == self.changed == 0

    def __add__(self, other: "Difference") -> "Difference":
        return Difference(
            self.rows + other.rows,
            self.added + other.added,
            self.removed + other.removed,
            self.changed + other.changed,
            tuple(dict.fromkeys((*self.columns, *other.columns))),
        )


def compare_with_rebuild(lake: Lake, report: Report, day: date, sites: Iterable[Site]) -> Difference | None:
    """Builds the partition that a day is in, in memory, and compares it with the stored one. Changes nothing.

    None where the partition is stale, so that its next refresh changes it anyway. Raises LakeAway.
    """
    opened = Opened(lake, sites)
    table, inputs, partition = opened.table(report.spec), opened.inputs(report), report.window.start(day)
    if table.revision(partition) == 0 or partition in stale_partitions(report, opened).all:
        return None
    found = Difference(0)
    for part in slices(report, inputs, report.window.days(partition)):
        stored = part.of(table.scan([partition])).collect(engine="streaming")
        found += difference(stored, build_slice(report, inputs, [partition], part), report.spec.key)
    return found


def difference(stored: pl.DataFrame, rebuilt: pl.DataFrame, key: tuple[str, ...]) -> Difference:
    """What is other in the rebuilt rows. No I/O."""
    values = [name for name in stored.columns if name not in key]
    both = stored.with_columns(_stored=True).join(
        rebuilt.with_columns(_rebuilt=True), on=key, how="full", nulls_equal=True, coalesce=True, suffix=".rebuilt"
    )
    held, made = pl.col("_stored").is_not_null(), pl.col("_rebuilt").is_not_null()
    in_both = both.filter(held & made).select(_same(name, stored.schema[name]).not_().alias(name) for name in values)
    changed = {name: count for name, count in in_both.sum().row(0, named=True).items() if count} if values else {}
    return Difference(
        rows=stored.height,
        added=both.filter(~held).height,
        removed=both.filter(~made).height,
        changed=in_both.filter(pl.any_horizontal(pl.all())).height if values else 0,
        columns=tuple(changed),
    )


def _same(name: str, dtype: pl.DataType) -> pl.Expr:
    stored, rebuilt = pl.col(name), pl.col(f"{name}.rebuilt")
    if dtype.is_float():
        near = (stored - rebuilt).abs() <= _NEAR * pl.max_horizontal(stored.abs(), rebuilt.abs())
        return stored.eq_missing(rebuilt) | near.fill_null(False)
    return stored.eq_missing(rebuilt)
