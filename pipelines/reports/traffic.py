"""The report `traffic`: how much happened on a site each day, by people and by bots."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import with_by_bot
from pipelines.reports.report import Report, shaped


def build(events: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site and day that has any event; every event is counted in it, once."""
    people = ~pl.col("by_bot")
    viewed = pl.col("action") == "pageview"
    happened = (
        with_by_bot(events)
        .group_by("site", date="event_date")
        .agg(
            visitors=_distinct_visitors(people),
            pageviews=(people & viewed).sum(),
            events=people.sum(),
            bot_visitors=_distinct_visitors(pl.col("by_bot")),
            bot_pageviews=(pl.col("by_bot") & viewed).sum(),
            bot_events=pl.col("by_bot").sum(),
        )
    )
    visited = (
        sessions.filter(~pl.col("is_bot"))
        .group_by("site", date="session_date")
        .agg(visits=pl.len(), bounces=pl.col("is_bounce").sum(), visit_seconds=pl.col("duration_seconds").sum())
    )
    counted = happened.join(visited, on=("site", "date"), how="left").with_columns(
        pl.col("visits", "bounces", "visit_seconds").fill_null(0)
    )
    return shaped(counted, TRAFFIC.spec)


def _distinct_visitors(of: pl.Expr) -> pl.Expr:
    return pl.col("visitor_id").filter(of).drop_nulls().n_unique()


TRAFFIC = Report(
    spec=TableSpec(
        name="traffic",
        description="Visitors, visits, page views and events of each site and day; bots counted apart.",
        key=("site", "date"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("visitors", pl.Int64(), "people: distinct visitors of the day"),
            Column("visits", pl.Int64(), "sessions of people", additive=True),
            Column("pageviews", pl.Int64(), "page views by people", additive=True),
            Column("events", pl.Int64(), "events of any kind by people, page views among them", additive=True),
            Column("bounces", pl.Int64(), "visits of one page view and nothing else", additive=True),
            Column("visit_seconds", pl.Int64(), "length of all visits together", "seconds", additive=True),
            Column("bot_visitors", pl.Int64(), "distinct visitors with any event of a bot that day"),
            Column("bot_pageviews", pl.Int64(), "page views by bots", additive=True),
            Column("bot_events", pl.Int64(), "events of any kind by bots, page views among them", additive=True),
        ),
    ),
    inputs=("events", "sessions"),
    build=build,
)
