"""The names of the properties that an event has, read from their JSON without Python looking at each event."""

import json

import polars as pl

from query_api.stats.vocabulary import PROPERTY, is_property

_PARTS = r'"(?:[^"\\]|\\.)*"\s*:?|[{}\[\]]'
"""Texts, with a colon where they are names, and brackets; numbers, flags and commas between them don't matter."""


def with_property_names(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Each row once for each property that it has, whose name is in a column `name`; others are left out.

    Names within the value of a property are none, nor are those that no query can ask for.
    """
    token = pl.element()
    opened = token.is_in(["{", "["]).cast(pl.Int32) - token.is_in(["}", "]"]).cast(pl.Int32)
    written = token.filter((opened.cum_sum() == 1) & token.str.ends_with(":")).unique()
    names = pl.col("properties").str.extract_all(_PARTS).list.eval(written)
    exploded = rows.filter(pl.col("properties").is_not_null()).with_columns(names.alias(name)).explode(name)
    read = pl.col(name).map_batches(_read, return_dtype=pl.String, is_elementwise=True)
    return exploded.with_columns(read).drop_nulls(name)


def _read(written: pl.Series) -> pl.Series:
    """Names without quotes, colons and escapes; each is looked at once."""
    names = {text: json.loads(text.rstrip(": \t\r\n")) for text in written.unique().drop_nulls()}
    asked_for = {text: name if is_property(PROPERTY + name) else None for text, name in names.items()}
    return written.replace_strict(asked_for, default=None, return_dtype=pl.String)
