"""Python functions on columns, called once per distinct value rather than once per row."""

from collections.abc import Callable
from typing import Any

import polars as pl


def each_distinct(column: pl.Expr, function: Callable[[str], Any], dtype: pl.DataType) -> pl.Expr:
    """`function` of each text of a column, as values of `dtype`; null stays null."""

    def answers(texts: pl.Series) -> pl.Series:
        distinct = texts.unique().drop_nulls()
        known = pl.DataFrame(
            {"text": distinct, "answer": pl.Series([function(text) for text in distinct], dtype=dtype)},
            schema={"text": pl.String(), "answer": dtype},
        )
        return texts.alias("text").to_frame().join(known, on="text", how="left", maintain_order="left")["answer"]

    return column.map_batches(answers, return_dtype=dtype, is_elementwise=True)
