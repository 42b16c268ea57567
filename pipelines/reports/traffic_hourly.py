"""The report `traffic_hourly`: how much people did in each hour of a day."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.engagement import ENGAGEMENT, engaged_seconds
from pipelines.reports.people import distinct, of_people
from pipelines.reports.report import Report, shaped
from pipelines.reports.visits import SITE_AND_DATE

_KEY = ("site", "date", "hour")


def build(events: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day and hour with any event by people."""
    engaged = pl.col("action") == ENGAGEMENT
    happened = (
        of_people(events)
        .group_by("site", date="event_date", hour="event_hour")
        .agg(
            visitors=distinct("visitor_id"),
            pageviews=(pl.col("action") == "pageview").sum(),
            events=(~engaged).sum(),
            engagements=engaged.sum(),
            engaged_seconds=engaged_seconds(),
        )
    )
    begun = (
        sessions.filter(~pl.col("is_bot"))
        .group_by("site", date="session_date", hour="started_hour")
        .agg(visits=pl.len())
    )
    counted = happened.join(begun, on=_KEY, how="left").with_columns(pl.col("visits").fill_null(0))
    return shaped(counted, TRAFFIC_HOURLY.spec)


TRAFFIC_HOURLY = Report(
    spec=TableSpec(
        name="traffic_hourly",
        description="Visitors, visits, page views and events of each hour, by site and day. People only. "
        "The hour that a clock shows twice when summer time ends is one row.",
        key=_KEY,
        columns=(
            *SITE_AND_DATE,
            Column("hour", pl.Int8(), "the hour, 0 to 23, in the site's time zone"),
            Column("visitors", pl.Int64(), "distinct visitors of the hour"),
            Column("visits", pl.Int64(), "visits that began in the hour", additive=True),
            Column("pageviews", pl.Int64(), "page views", additive=True),
            Column("events", pl.Int64(), "events, page views among them and engagements not", additive=True),
            Column("engagements", pl.Int64(), "events that say how long a page was looked at", additive=True),
            Column(
                "engaged_seconds",
                pl.Float64(),
                "how long pages were in view and focused, by the hour in which it was told",
                "seconds",
                additive=True,
            ),
        ),
    ),
    inputs=("events", "sessions"),
    build=build,
)
