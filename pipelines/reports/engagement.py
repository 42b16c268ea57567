"""What an event of action `engagement` says: how long a page was looked at, and how far down."""

import polars as pl

ENGAGEMENT = "engagement"

_LONGEST_MS = 86_400_000
"""A day: who sends more has a broken clock."""


def engaged_ms() -> pl.Expr:
    """Milliseconds that a page was in view and focused since its last engagement; null for all other events."""
    return _number("engagedMs", at_most=_LONGEST_MS).cast(pl.Int64())


def scroll_depth() -> pl.Expr:
    """The deepest part of the page seen so far, in per cent of its height; null for all other events."""
    return _number("scrollDepth", at_most=100).cast(pl.Int32())


def engaged_seconds() -> pl.Expr:
    """The engaged time of events together, to the millisecond."""
    return seconds(pl.col("engaged_ms").sum())


def seconds(milliseconds: pl.Expr) -> pl.Expr:
    """The nearest number of seconds to whole milliseconds."""
    # Polars divides by multiplying with 0.001, which is off in the last digit for one in eight.
    return (milliseconds / 1000).round(3)


def _number(name: str, at_most: int) -> pl.Expr:
    """A property as a whole number; null where it is none or out of its bounds. Only engagements are parsed."""
    properties = pl.when(pl.col("action") == ENGAGEMENT).then("properties")
    value = properties.str.json_path_match(f"$.{name}").cast(pl.Float64(), strict=False).round()
    return pl.when(value.is_between(0, at_most)).then(value)
