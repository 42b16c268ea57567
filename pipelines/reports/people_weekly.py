"""The table `people_weekly`: who was on a site each week."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped
from pipelines.reports.window import Window


def build(people_daily: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, week and person who can be known again."""
    known = people_daily.filter(pl.col("person") != "")
    return shaped(known.select("site", "person", date=pl.col("date").dt.truncate("1w")).unique(), PEOPLE_WEEKLY.spec)


PEOPLE_WEEKLY = Report(
    spec=TableSpec(
        name="people_weekly",
        description="People of each site and week who can be known again: signed-in users, and visitors with an id of "
        "the client's own.",
        key=("site", "date", "person"),
        single_rows=True,
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the week's Monday, in the site's time zone"),
            Column("person", pl.String(), "user_id, else visitor_id"),
        ),
    ),
    inputs=("people_daily",),
    build=build,
    window=Window("week"),
)
