"""The table `sessions`: a visitor's stays on a site, parted by half an hour without an event."""

from datetime import timedelta

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import VISITOR_DAY, bot_visitors
from pipelines.reports.report import Report, shaped

IDLE = timedelta(minutes=30)
"""A visitor's next event ends the session when more than this has passed since the last."""

PASSIVE_ACTIONS = ("error", "request", "engagement")
"""No part of a session: lines of access logs that no visitor did on purpose, and what the script says on leaving."""

_INSTANT = pl.Datetime("us", "UTC")
_SESSION_DAY = ("site", "session_date", "visitor_id")


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per session. Events without visitor_id are in none; midnight of the site ends every session."""
    return shaped(_with_is_bot(_numbered(_sessions(_in_order(events))), events), SESSIONS.spec)


def _in_order(events: pl.LazyFrame) -> pl.LazyFrame:
    """Each visitor's events as they happened; event_id decides where two happened at once."""
    active = pl.col("visitor_id").is_not_null() & ~pl.col("action").is_in(PASSIVE_ACTIONS)
    return events.filter(active).sort(*VISITOR_DAY, "occurred_at", "event_id")


def _sessions(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per session of events in order. Source and channel are those of its first event."""
    previous = pl.col(*VISITOR_DAY).shift()
    starts = pl.any_horizontal(pl.col(*VISITOR_DAY) != previous, pl.col("occurred_at").diff() > IDLE).fill_null(True)
    viewed = pl.when(pl.col("action") == "pageview").then(pl.col("path").fill_null(""))
    return (
        events.with_columns(_session=starts.cum_sum(), _viewed=viewed)
        .group_by("_session")
        .agg(
            pl.col("site", "visitor_id", "source", "channel").first(),
            pl.col("device", "browser", "os", "country").first(ignore_nulls=True),
            session_date=pl.col("event_date").first(),
            started_at=pl.col("occurred_at").first(),
            ended_at=pl.col("occurred_at").last(),
            pageviews=pl.col("_viewed").count(),
            events=pl.len(),
            entry_page=pl.col("_viewed").first(ignore_nulls=True),
            exit_page=pl.col("_viewed").last(ignore_nulls=True),
        )
        .with_columns(
            duration_seconds=(pl.col("ended_at") - pl.col("started_at")).dt.total_seconds(),
            is_bounce=(pl.col("pageviews") == 1) & (pl.col("events") == 1),
        )
    )


def _numbered(sessions: pl.LazyFrame) -> pl.LazyFrame:
    number = pl.col("started_at").rank("ordinal").over(_SESSION_DAY)
    return sessions.with_columns(session_number=number)


def _with_is_bot(sessions: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """Whether the visitor is a bot that day, by any event: one outside of sessions counts too."""
    bots = bot_visitors(events).rename({"event_date": "session_date"}).with_columns(is_bot=pl.lit(True))
    return sessions.join(bots, on=_SESSION_DAY, how="left").with_columns(pl.col("is_bot").fill_null(False))


SESSIONS = Report(
    spec=TableSpec(
        name="sessions",
        description="Visits: a visitor's events on a site with at most 30 minutes between them, within a day.",
        key=(*_SESSION_DAY, "session_number"),
        partition_by="session_date",
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("session_date", pl.Date(), "the day, in the site's time zone; midnight ends a session"),
            Column("visitor_id", pl.String(), "the visitor"),
            Column("session_number", pl.Int64(), "1 for the visitor's first session of the day, 2 for the next"),
            Column("started_at", _INSTANT, "when its first event happened", "UTC"),
            Column("ended_at", _INSTANT, "when its last event happened", "UTC"),
            Column("duration_seconds", pl.Int64(), "from first to last event, rounded down", "seconds", additive=True),
            Column("pageviews", pl.Int64(), "page views", additive=True),
            Column("events", pl.Int64(), "events, page views among them", additive=True),
            Column("entry_page", pl.String(), "path of the first page view; null without page views"),
            Column("exit_page", pl.String(), "path of the last page view; null without page views"),
            Column("source", pl.String(), "where the first event came from; Direct / None"),
            Column("channel", pl.String(), "the kind of source, such as Organic Search, Referral or Direct"),
            Column("device", pl.String(), "Desktop, Mobile or Tablet, the first known; null = unknown"),
            Column("browser", pl.String(), "family of the browser, the first known; null = unknown"),
            Column("os", pl.String(), "family of the operating system, the first known; null = unknown"),
            Column("country", pl.String(), "country, the first known; null = unknown", "ISO 3166-1 alpha-2"),
            Column("is_bounce", pl.Boolean(), "whether it is one page view and nothing else"),
            Column("is_bot", pl.Boolean(), "whether the visitor had any event of a bot that day"),
        ),
    ),
    inputs=("events",),
    build=build,
)
