"""A question to a report and the frame that answers it. Pure: nothing is read here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import reduce
from typing import Literal

import polars as pl

from lake.catalogue import CatalogueColumn
from query_api.cursor import KeyValue
from query_api.errors import wrong_parameter
from query_api.stats.document import Comparison, Filter, comparisons
from query_api.stats.filters import combined, meets

DATE = "date"
SITE = "site"

Per = Literal["day", "range"]


@dataclass(frozen=True)
class ReportQuery:
    """Rows of one site from `first` to `last`, both inclusive, in the site's days.

    per: `day` answers the table's own rows; `range` adds the days up, one row per key without the date.
    order: a column, with - in front for the largest first; None is the order of the key.
    after: the cursor of the page before.
    filters: all must hold, for rows of the table before they are added up; they name columns of texts.
    """

    site: str
    first: date
    last: date
    per: Per = "day"
    order: str | None = None
    limit: int = 1_000
    after: str | None = None
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Shape:
    """What a query's rows look like: columns in order, and those that name a row."""

    columns: tuple[CatalogueColumn, ...]
    key: tuple[str, ...]

    def sorted_by(self, order: str | None) -> list[tuple[str, bool]]:
        """Columns to sort by and whether each runs down; the key comes last, so that no two rows are equal."""
        if order is None:
            return [(name, False) for name in self.key]
        name = order.removeprefix("-")
        if name not in {column.name for column in self.columns}:
            names = ", ".join(column.name for column in self.columns)
            raise wrong_parameter("order", f"order: there is no column {name[:100]!r}; there are {names}.")
        return [(name, order.startswith("-")), *((key, False) for key in self.key if key != name)]


def shape_of(columns: Sequence[CatalogueColumn], key: Sequence[str], per: Per) -> Shape:
    """The shape of a report's rows per day or per range.

    Over a range, counts are added up day by day. A count that may not be added up (visitors) is then the sum of its
    daily values, and its meaning says so; what is no count (a share, an average) is left out.
    """
    if per == "day":
        return Shape(tuple(columns), tuple(key))
    key_without_date = tuple(name for name in key if name != DATE)
    kept = [column for column in columns if column.name in key_without_date or _is_count(column, key)]
    return Shape(tuple(_over_days(column, key) for column in kept), key_without_date)


def require_texts(query: ReportQuery, columns: Sequence[CatalogueColumn]) -> None:
    """Raises ApiError where a filter names what is no column of texts."""
    texts = [column.name for column in columns if column.dtype == "String" and column.name != SITE]
    for comparison in comparisons(query.filters):
        if comparison.dimension not in texts:
            known = f"there are {', '.join(texts)}" if texts else "this report has none"
            message = f"filters: {comparison.dimension[:100]!r} is no column to filter by; {known}."
            raise wrong_parameter("filters", message)


def page_of(rows: pl.LazyFrame, query: ReportQuery, shape: Shape, after: Sequence[KeyValue] | None) -> pl.LazyFrame:
    """The rows behind the values `after`, in order: a page, and one row more where another page follows."""
    rows = rows.filter(pl.col(SITE) == query.site, pl.col(DATE).is_between(query.first, query.last))
    rows = rows.filter(pl.lit(True), *(combined(each, _compared) for each in query.filters))
    if query.per == "range":
        counts = [column.name for column in shape.columns if column.name not in shape.key]
        rows = rows.group_by(shape.key).agg(pl.col(counts).sum())
    sorted_by = shape.sorted_by(query.order)
    if after is not None:
        rows = rows.filter(_comes_after(sorted_by, after))
    names = [name for name, _ in sorted_by]
    down = [is_down for _, is_down in sorted_by]
    columns = [column.name for column in shape.columns]
    return rows.select(columns).sort(names, descending=down, nulls_last=True).head(query.limit + 1)


def _compared(comparison: Comparison) -> pl.Expr:
    return meets(pl.col(comparison.dimension), comparison)


def _comes_after(sorted_by: Sequence[tuple[str, bool]], values: Sequence[KeyValue]) -> pl.Expr:
    """Whether a row sorts behind the given values: by the first column that differs, nulls last."""

    def or_equal_and(behind_by_the_rest: pl.Expr, place: tuple[tuple[str, bool], KeyValue]) -> pl.Expr:
        (name, is_down), value = place
        column = pl.col(name)
        if value is None:
            return column.is_null() & behind_by_the_rest
        behind = (column < value if is_down else column > value) | column.is_null()
        return behind | (column.eq_missing(value) & behind_by_the_rest)

    return reduce(or_equal_and, reversed(list(zip(sorted_by, values, strict=True))), pl.lit(False))


def _is_count(column: CatalogueColumn, key: Sequence[str]) -> bool:
    return column.name not in key and column.dtype.startswith(("Int", "UInt"))


def _over_days(column: CatalogueColumn, key: Sequence[str]) -> CatalogueColumn:
    if column.name in key or column.additive:
        return column
    return replace(column, meaning=f"{column.meaning.rstrip('.')}; the sum of the daily values")


def columns_document(columns: Sequence[CatalogueColumn]) -> list[dict[str, object]]:
    """What an answer says of its columns."""
    return [asdict(column) for column in columns]
