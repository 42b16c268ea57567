"""The report `sources`: where the visits of each day came from."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped


def build(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day, source and channel that a person's visit came from."""
    counted = (
        sessions.filter(~pl.col("is_bot"))
        .group_by("site", "source", "channel", date="session_date")
        .agg(
            visitors=pl.col("visitor_id").n_unique(),
            visits=pl.len(),
            pageviews=pl.col("pageviews").sum(),
            bounces=pl.col("is_bounce").sum(),
            visit_seconds=pl.col("duration_seconds").sum(),
        )
    )
    return shaped(counted, SOURCES.spec)


SOURCES = Report(
    spec=TableSpec(
        name="sources",
        description="Visits by the source and channel they came from, by site and day. People only.",
        key=("site", "date", "source", "channel"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("source", pl.String(), "a campaign's utm_source or ref, else who referred; Direct / None"),
            Column("channel", pl.String(), "the kind of source, such as Organic Search, Referral or Direct"),
            Column("visitors", pl.Int64(), "distinct visitors with a visit from there"),
            Column("visits", pl.Int64(), "visits that came from there", additive=True),
            Column("pageviews", pl.Int64(), "page views in those visits", additive=True),
            Column("bounces", pl.Int64(), "those visits that were one page view and nothing else", additive=True),
            Column("visit_seconds", pl.Int64(), "length of those visits together", "seconds", additive=True),
        ),
    ),
    inputs=("sessions",),
    build=build,
)
