"""The table `people_daily`: who was on a site each day, as far as anybody can be known again on another."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import VISITOR_DAY, bot_visitors
from pipelines.reports.report import Report, shaped

_OF_ONE_DAY = r"^[0-9a-f]{32}$"
"""What collector and log import make of address and User-Agent, with another secret each day."""


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day and person who can be known again, and one for all others together.

    A visitor with a user's id is that user all day.
    """
    visitors = (
        events.filter(~pl.col("is_bot"), pl.col("visitor_id").is_not_null())
        .group_by(VISITOR_DAY)
        .agg(pl.col("user_id").min())
        .join(bot_visitors(events), on=VISITOR_DAY, how="anti")
    )
    of_one_day = pl.col("user_id").is_null() & pl.col("visitor_id").str.contains(_OF_ONE_DAY)
    person = pl.when(of_one_day).then(pl.lit("")).otherwise(pl.coalesce("user_id", "visitor_id"))
    present = visitors.group_by("site", date="event_date", person=person).agg(visitors=pl.len())
    visitors_of_row = pl.when(pl.col("person") == "").then("visitors").otherwise(1)
    return shaped(present.with_columns(visitors=visitors_of_row), PEOPLE_DAILY.spec)


PEOPLE_DAILY = Report(
    spec=TableSpec(
        name="people_daily",
        description="People of each site and day who can be known again on another: signed-in users, and visitors "
        "with an id of the client's own. All others are one row without a name.",
        key=("site", "date", "person"),
        single_rows=True,
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column(
                "person",
                pl.String(),
                "user_id, else visitor_id; empty for visitors with an id of the day (32 hex digits)",
            ),
            Column("visitors", pl.Int64(), "1; of the row without a name the number of visitors", additive=True),
        ),
    ),
    inputs=("events",),
    build=build,
)
