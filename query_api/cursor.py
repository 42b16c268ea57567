"""The `next` of a page: the place of its last row in the order of the rows.

A cursor names values, not a number of rows, so a table that is refreshed between two pages shows no row twice and
skips none that stayed where it was.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from query_api.errors import ApiError, wrong_parameter

KeyValue = str | int | float | bool | date | None

_LONGEST = 20_000


def encode(sorted_by: Sequence[tuple[str, bool]], last_row: Mapping[str, KeyValue]) -> str:
    """The cursor behind a row."""
    values = [_to_json(last_row[name]) for name, _ in sorted_by]
    document = json.dumps([[list(term) for term in sorted_by], values], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def decode(text: str, sorted_by: Sequence[tuple[str, bool]], schema: Mapping[str, pl.DataType]) -> tuple[KeyValue, ...]:
    """The values of the row that the next page begins behind. Raises ApiError where it belongs to another order."""
    try:
        if len(text) > _LONGEST:
            raise _unusable()
        document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        terms, values = document
        if terms != [list(term) for term in sorted_by] or len(values) != len(sorted_by):
            raise _unusable()
        return tuple(_from_json(value, schema[name]) for (name, _), value in zip(sorted_by, values, strict=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _unusable() from error


def _to_json(value: KeyValue) -> str | int | float | bool | None:
    return value.isoformat() if isinstance(value, date) else value


def _from_json(value: Any, dtype: pl.DataType) -> KeyValue:
    """A JSON value as the column's type holds it. Raises TypeError or ValueError."""
    if value is None:
        return None
    if dtype == pl.Date:
        return date.fromisoformat(value)
    if dtype == pl.Boolean and isinstance(value, bool):
        return value
    if dtype == pl.String and isinstance(value, str):
        return value
    if dtype.is_integer() and type(value) is int and -(2**63) <= value < 2**63:
        return value
    if dtype.is_float() and type(value) in (int, float):
        return float(value)
    raise TypeError


def _unusable() -> ApiError:
    return wrong_parameter("next", "next: use the value of the page before, with the same order and per.")
