"""The report `quality`: what became of everything that was landed on a day."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import DEAD_LETTERS, RAW_EVENTS, Report, shaped
from pipelines.reports.window import Window

_NO_SITE = ""
_BY = (pl.col("site").fill_null(_NO_SITE), pl.col("landed_date").alias("date"))


def build(raw_events: pl.LazyFrame, dead_letters: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site and day of landing on which anything of it was landed."""
    landed = raw_events.group_by(_BY).agg(landed=pl.len())
    dead = dead_letters.group_by(_BY).agg(dead_letters=pl.len())
    late = pl.col("event_date") < pl.col("landed_date").dt.offset_by("-1d")
    counted = events.group_by(_BY).agg(
        counted=pl.len(), late=late.sum(), clock_adjusted=pl.col("clock_adjusted").sum(), bots=pl.col("is_bot").sum()
    )
    by = ("site", "date")
    both = landed.join(dead, on=by, how="full", coalesce=True).join(counted, on=by, how="left")
    known = both.with_columns(
        pl.col("landed", "dead_letters", "counted", "late", "clock_adjusted", "bots").cast(pl.Int64()).fill_null(0)
    )
    return shaped(known.with_columns(duplicates=pl.col("landed") - pl.col("counted")), QUALITY.spec)


QUALITY = Report(
    spec=TableSpec(
        name="quality",
        description="What was landed of each site, and what became of it, by day of landing in UTC.",
        key=("site", "date"),
        columns=(
            Column("site", pl.String(), "the domain of the site; empty for dead letters of no known site"),
            Column("date", pl.Date(), "the day of landing", "UTC"),
            Column("landed", pl.Int64(), "events that were landed: counted + duplicates", additive=True),
            Column("counted", pl.Int64(), "those that count", additive=True),
            Column("duplicates", pl.Int64(), "those that were sent more than once, and count elsewhere", additive=True),
            Column("late", pl.Int64(), "counted events of a day before the day before landing", additive=True),
            Column("clock_adjusted", pl.Int64(), "counted events whose own time was impossible", additive=True),
            Column("bots", pl.Int64(), "counted events of bots, by their own User-Agent", additive=True),
            Column("dead_letters", pl.Int64(), "records that were no events", additive=True),
        ),
    ),
    inputs=(RAW_EVENTS, DEAD_LETTERS, "events"),
    build=build,
    window=Window(of_landing=True),
)
