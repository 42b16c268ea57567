"""A part of a table's rows to look at, so that looking costs the same however many there are."""

from collections.abc import Sequence

import polars as pl

MOST = 500_000
"""About how many rows are looked at."""


def every_nth(rows: int, most: int = MOST) -> int:
    """1 where all rows are looked at, 2 for every other key, and so on."""
    return max(1, -(-rows // most))


def sampled(columns: Sequence[str], nth: int, turn: int) -> pl.Expr:
    """Whether a row's key is among every nth; equal keys are so together, in whatever table. Turns take turns."""
    if nth == 1:
        return pl.lit(True)
    return pl.struct(columns).hash() % nth == turn % nth
