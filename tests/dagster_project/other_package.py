"""A report as another package may bring it."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site and day."""
    return shaped(events.group_by("site", date="event_date").agg(knocks=pl.len()), KNOCKS.spec)


KNOCKS = Report(
    spec=TableSpec(
        name="knocks",
        description="Knocks of each site and day.",
        key=("site", "date"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("knocks", pl.Int64(), "events of any kind", additive=True),
        ),
    ),
    inputs=("events",),
    build=build,
)
