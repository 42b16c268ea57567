"""The report `dead_letters_daily`: why records were no events."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import DEAD_LETTERS, Report, shaped
from pipelines.reports.window import Window


def build(dead_letters: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day of landing and reason."""
    counted = dead_letters.group_by(
        pl.col("site").fill_null(""), pl.col("landed_date").alias("date"), pl.col("reason").fill_null("")
    ).agg(dead_letters=pl.len())
    return shaped(counted, DEAD_LETTERS_DAILY.spec)


DEAD_LETTERS_DAILY = Report(
    spec=TableSpec(
        name="dead_letters_daily",
        description="Records that were no events, by site, day of landing in UTC, and reason.",
        key=("site", "date", "reason"),
        columns=(
            Column("site", pl.String(), "the domain of the site; empty where it is not known"),
            Column("date", pl.Date(), "the day of landing", "UTC"),
            Column("reason", pl.String(), "why they were no events, such as invalid_field"),
            Column("dead_letters", pl.Int64(), "how many there were", additive=True),
        ),
    ),
    inputs=(DEAD_LETTERS,),
    build=build,
    window=Window(of_landing=True),
)
