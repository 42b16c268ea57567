"""What an event of action `engagement` says: how long a page was looked at, and how far down."""

import polars as pl

ENGAGEMENT = "engagement"

_LONGEST_MS = 86_400_000
"""A day: who sends more has a broken clock."""


def with_engagement(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds to rows with action and properties what engagements say; it is null for all other events.

    engaged_ms: milliseconds that a page was in view and focused since its last engagement. scroll_depth: the deepest
    part of the page seen so far, in per cent of its height. What is no number, or out of its bounds, is null.
    """
    return rows.with_columns(engaged_ms=_number("engagedMs"), scroll_depth=_number("scrollDepth")).with_columns(
        _bounded("engaged_ms", _LONGEST_MS).cast(pl.Int64()), _bounded("scroll_depth", 100).cast(pl.Int32())
    )


def engaged_seconds() -> pl.Expr:
    """The engaged time of events together, to the millisecond."""
    return seconds(pl.col("engaged_ms").sum())


def seconds(milliseconds: pl.Expr) -> pl.Expr:
    """The nearest number of seconds to whole milliseconds."""
    # Polars divides by multiplying with 0.001, which is off in the last digit for one in eight.
    return (milliseconds / 1000).round(3)


def _number(name: str) -> pl.Expr:
    properties = pl.when(pl.col("action") == ENGAGEMENT).then("properties")
    return properties.str.json_path_match(f"$.{name}").cast(pl.Float64(), strict=False).round()


def _bounded(name: str, at_most: int) -> pl.Expr:
    return pl.when(pl.col(name).is_between(0, at_most)).then(name)
