"""A small report for tests of the tables."""

from datetime import date

import polars as pl

from lake.table_spec import Column, TableSpec

MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)

SPEC = TableSpec(
    name="hits",
    description="Hits of each page, by site and day.",
    key=("site", "date", "path"),
    columns=(
        Column("site", pl.String(), "the domain of the site"),
        Column("date", pl.Date(), "the day, in the site's time zone"),
        Column("path", pl.String(), "the page's path"),
        Column("hits", pl.Int64(), "how often it was asked for", additive=True),
        Column("seconds", pl.Float64(), "how long the answers took", "seconds", additive=True),
    ),
)


def hits(day: date, *counts: int) -> pl.DataFrame:
    """One row of the day per count."""
    rows = [("a.example", day, f"/{number}", count, 0.5) for number, count in enumerate(counts)]
    return pl.DataFrame(rows, schema=SPEC.schema, orient="row")
