"""What costs much is done once per distinct value rather than once per row."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl


def each_distinct(function: Callable[..., Any], dtype: pl.DataType, *columns: pl.Expr) -> pl.Expr:
    """`function` of the values of `columns`, row by row, as values of `dtype`; null where all the values are.

    Plain Python within, and no query: one that waits for another from within can stop all queries of a process.
    """

    def answers(arguments: Sequence[pl.Series]) -> pl.Series:
        known: dict[tuple[Any, ...], Any] = {(None,) * len(columns): None}
        values = []
        for row in zip(*(argument.to_list() for argument in arguments), strict=True):
            if row not in known:
                known[row] = function(*row)
            values.append(known[row])
        return pl.Series(values, dtype=dtype)

    return pl.map_batches(columns, answers, return_dtype=dtype, is_elementwise=True)


def with_each_distinct(
    rows: pl.DataFrame,
    columns: Sequence[str],
    add: Callable[[pl.DataFrame], pl.DataFrame],
    follow: Sequence[str] = (),
) -> pl.DataFrame:
    """The rows with the columns that `add` adds to the distinct values of `columns`.

    `follow`: columns that follow from those, so that any row's value will do; `add` is given them too.
    """
    distinct = rows.select(*columns, *follow).unique(columns, keep="any")
    # Without their other columns, which a join would copy.
    keys = rows.select(columns)
    added = keys.join(add(distinct).drop(follow), on=columns, how="left", nulls_equal=True, maintain_order="left")
    return rows.with_columns(added.drop(columns).get_columns())
