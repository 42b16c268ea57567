"""The report `retention`: how many of those who came first in some week came again in later ones."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped
from pipelines.reports.window import Window

WEEKS_BEFORE = 53
"""A person who came in none of so many weeks before is new again."""


def build(people_weekly: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, week and cohort of which anybody came."""
    came = people_weekly.select("site", "person", week="date")
    earlier = came.select("site", "person", earlier="week")
    weeks_since = (pl.col("week") - pl.col("earlier")).dt.total_days() // 7
    first = (
        came.join(earlier, on=("site", "person"))
        .filter(weeks_since.is_between(0, WEEKS_BEFORE))
        .group_by("site", "week", "person")
        .agg(earlier=pl.col("earlier").min())
    )
    counted = first.group_by("site", date="week", cohort="earlier").agg(people=pl.len())
    since = ((pl.col("date") - pl.col("cohort")).dt.total_days() // 7).alias("weeks_since")
    return shaped(counted.with_columns(since), RETENTION.spec)


RETENTION = Report(
    spec=TableSpec(
        name="retention",
        description="People of each week by the week they came first (within the 53 weeks before), by site. Only those "
        "who can be known again: signed-in users, and visitors with an id of the client's own.",
        key=("site", "date", "cohort"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the week in which they came, by its Monday, in the site's time zone"),
            Column("cohort", pl.Date(), "the week in which they came first, by its Monday"),
            Column("weeks_since", pl.Int64(), "from cohort to date; 0 for the first week", "weeks"),
            Column("people", pl.Int64(), "distinct people of the cohort who came in the week"),
        ),
    ),
    inputs=("people_weekly",),
    build=build,
    window=Window("week", days_before=WEEKS_BEFORE * 7),
)
