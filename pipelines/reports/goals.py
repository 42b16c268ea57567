"""The report `goals`: how often each goal was reached, and by which share of the visitors."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped


def build(conversions: pl.LazyFrame, traffic: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day and goal that a person reached."""
    counted = conversions.group_by("site", "date", "goal").agg(
        pl.len().alias("conversions"), visitors=pl.col("visitor_id").drop_nulls().n_unique()
    )
    present = traffic.select("site", "date", site_visitors="visitors")
    visitors, all_visitors = pl.col("visitors"), pl.col("site_visitors")
    shares = counted.join(present, on=("site", "date"), how="left").with_columns(
        pl.col("site_visitors").fill_null(0),
        rate=pl.when(all_visitors > 0).then(visitors / all_visitors).otherwise(0.0),
    )
    return shaped(shares, GOALS.spec)


GOALS = Report(
    spec=TableSpec(
        name="goals",
        description="How often each goal of sites.toml was reached, and by which share of the visitors, by site and "
        "day. People only.",
        key=("site", "date", "goal"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("goal", pl.String(), "the goal's name in sites.toml"),
            Column("conversions", pl.Int64(), "how often it was reached", additive=True),
            Column("visitors", pl.Int64(), "distinct visitors who reached it"),
            Column("site_visitors", pl.Int64(), "distinct visitors of the site that day"),
            Column("rate", pl.Float64(), "visitors / site_visitors", "share, 0 to 1"),
        ),
    ),
    inputs=("conversions", "traffic"),
    build=build,
)
