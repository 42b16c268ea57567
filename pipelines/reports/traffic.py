"""The report `traffic`: how much happened on a site each day, by people and by bots."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.engagement import ENGAGEMENT, engaged_seconds
from pipelines.reports.people import distinct, with_by_bot
from pipelines.reports.report import Report, shaped
from pipelines.reports.visits import SITE_AND_DATE, visit_sums

_OF_VISITS = ("visits", "bounces", "visit_seconds")


def build(events: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site and day that has any event; every event is counted in it, once."""
    engaged = pl.col("action") == ENGAGEMENT
    happened = (
        with_by_bot(events)
        .group_by("site", "by_bot", date="event_date")
        .agg(
            visitors=distinct("visitor_id"),
            pageviews=(pl.col("action") == "pageview").sum(),
            events=pl.len(),
            engagements=engaged.sum(),
            engaged_seconds=engaged_seconds(),
        )
    )
    counted = happened.group_by("site", "date").agg(
        *(_of(~pl.col("by_bot"), count) for count in ("visitors", "pageviews", "engagements", "engaged_seconds")),
        _of(~pl.col("by_bot"), "events") - _of(~pl.col("by_bot"), "engagements"),
        *(_of(pl.col("by_bot"), count).name.prefix("bot_") for count in ("visitors", "pageviews", "events")),
    )
    visited = sessions.filter(~pl.col("is_bot")).group_by("site", date="session_date").agg(**visit_sums())
    with_visits = counted.join(
        visited.select("site", "date", *_OF_VISITS), on=("site", "date"), how="left"
    ).with_columns(pl.col(_OF_VISITS).fill_null(0))
    return shaped(with_visits, TRAFFIC.spec)


def _of(whom: pl.Expr, count: str) -> pl.Expr:
    """What was counted of people or of bots; 0 where there is none of them."""
    return pl.col(count).filter(whom).sum()


TRAFFIC = Report(
    spec=TableSpec(
        name="traffic",
        description="Visitors, visits, page views and events of each site and day; bots counted apart.",
        key=("site", "date"),
        columns=(
            *SITE_AND_DATE,
            Column("visitors", pl.Int64(), "people: distinct visitors of the day"),
            Column("visits", pl.Int64(), "sessions of people", additive=True),
            Column("pageviews", pl.Int64(), "page views by people", additive=True),
            Column("events", pl.Int64(), "events by people, page views among them and engagements not", additive=True),
            Column("bounces", pl.Int64(), "visits of one page view and no other interactive event", additive=True),
            Column("visit_seconds", pl.Int64(), "length of all visits together", "seconds", additive=True),
            Column("bot_visitors", pl.Int64(), "distinct visitors with any event of a bot that day"),
            Column("bot_pageviews", pl.Int64(), "page views by bots", additive=True),
            Column("bot_events", pl.Int64(), "events of any kind by bots, engagements too", additive=True),
            Column(
                "engagements",
                pl.Int64(),
                "events by people that say how long a page was looked at; with events and bot_events these are all",
                additive=True,
            ),
            Column(
                "engaged_seconds",
                pl.Float64(),
                "how long people had pages in view and focused, in visits or not",
                "seconds",
                additive=True,
            ),
        ),
    ),
    inputs=("events", "sessions"),
    build=build,
)
