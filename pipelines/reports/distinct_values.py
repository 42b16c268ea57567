"""Python functions on columns, called once per distinct value rather than once per row."""

from collections.abc import Callable
from typing import Any

import polars as pl


def each_distinct(function: Callable[..., Any], dtype: pl.DataType, *columns: pl.Expr) -> pl.Expr:
    """`function` of the values of `columns`, row by row, as values of `dtype`; null where all the values are."""

    def answers(rows: pl.Series) -> pl.Series:
        arguments = rows.struct.unnest()
        distinct = arguments.unique()
        values = [None if all(v is None for v in row) else function(*row) for row in distinct.iter_rows()]
        known = distinct.with_columns(answer=pl.Series(values, dtype=dtype))
        return arguments.join(known, on=arguments.columns, how="left", nulls_equal=True, maintain_order="left")[
            "answer"
        ]

    named = [column.alias(f"argument_{position}") for position, column in enumerate(columns)]
    return pl.struct(named).map_batches(answers, return_dtype=dtype, is_elementwise=True)
