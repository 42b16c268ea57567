"""The table `sessions`: a visitor's stays on a site, parted by half an hour without an event."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.engagement import seconds
from pipelines.reports.people import bot_visitors
from pipelines.reports.report import Report, shaped
from pipelines.reports.session_cuts import NEEDED, in_sessions, paths, totals

_INSTANT = pl.Datetime("us", "UTC")
_SESSION_DAY = ("site", "session_date", "visitor_id")

_OF_FIRST_EVENT = {
    "site": "site",
    "session_date": "event_date",
    "visitor_id": "visitor_id",
    "started_hour": "event_hour",
    "entry_host": "host",
    **{
        name: name
        for name in (
            *("source", "channel", "medium", "referrer_host"),
            *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"),
            *("device", "browser", "os", "country", "language"),
        )
    },
}


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per session. Events without visitor_id are in none; midnight of the site ends every session."""
    of_visitors = events.filter(pl.col("visitor_id").is_not_null())
    rows = of_visitors.select({*NEEDED, *_OF_FIRST_EVENT.values(), "path", "is_bot"}).collect(engine="streaming")
    sessions = totals(in_sessions(rows))
    first_events = rows[sessions["entry_row"]].select(
        pl.col(column).alias(name) for name, column in _OF_FIRST_EVENT.items()
    )
    described = pl.concat([sessions, first_events], how="horizontal").with_columns(
        engaged_seconds=seconds(pl.col("engaged_ms")),
        entry_page=paths(rows, sessions["first_view_row"]),
        exit_page=paths(rows, sessions["last_view_row"]),
    )
    return shaped(_with_is_bot(described.lazy(), rows.lazy()), SESSIONS.spec)


def _with_is_bot(sessions: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """Whether the visitor is a bot that day, by any event: one outside of sessions counts too."""
    bots = bot_visitors(events).rename({"event_date": "session_date"}).with_columns(is_bot=pl.lit(True))
    return sessions.join(bots, on=_SESSION_DAY, how="left").with_columns(pl.col("is_bot").fill_null(False))


SESSIONS = Report(
    spec=TableSpec(
        name="sessions",
        description="Visits: a visitor's interactive events on a site with at most 30 minutes between them, within a "
        "day and less than 24 hours. Errors, requests and engagements neither begin nor extend a session; the time of "
        "an engagement belongs to the session it follows.",
        key=(*_SESSION_DAY, "session_number"),
        partition_by="session_date",
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("session_date", pl.Date(), "the day, in the site's time zone; midnight ends a session"),
            Column("visitor_id", pl.String(), "the visitor"),
            Column("session_number", pl.Int64(), "1 for the visitor's first session of the day, 2 for the next"),
            Column("started_at", _INSTANT, "when its first event happened", "UTC"),
            Column("started_hour", pl.Int8(), "the hour it began, 0 to 23, in the site's time zone"),
            Column("ended_at", _INSTANT, "when its last event happened", "UTC"),
            Column("duration_seconds", pl.Int64(), "from first to last event, rounded down", "seconds", additive=True),
            Column(
                "engaged_seconds", pl.Float64(), "how long its pages were in view and focused", "seconds", additive=True
            ),
            Column("pageviews", pl.Int64(), "page views", additive=True),
            Column("events", pl.Int64(), "interactive events, page views among them", additive=True),
            Column("entry_page", pl.String(), "path of the first page view; null without page views"),
            Column("exit_page", pl.String(), "path of the last page view; null without page views"),
            Column("entry_host", pl.String(), "host of the first event's address; null = none"),
            Column("source", pl.String(), "where the first event came from; Direct / None"),
            Column("channel", pl.String(), "the kind of source, such as Organic Search, Referral or Direct"),
            Column("medium", pl.String(), "medium of the first event; null = Direct / None"),
            Column("referrer_host", pl.String(), "host that the first event was referred by, the site's own too"),
            Column("utm_source", pl.String(), "campaign parameter of the first event"),
            Column("utm_medium", pl.String(), "campaign parameter of the first event"),
            Column("utm_campaign", pl.String(), "campaign parameter of the first event"),
            Column("utm_term", pl.String(), "campaign parameter of the first event"),
            Column("utm_content", pl.String(), "campaign parameter of the first event"),
            Column("device", pl.String(), "Desktop, Mobile or Tablet, by the first event; null = unknown"),
            Column("browser", pl.String(), "family of the browser, by the first event; null = unknown"),
            Column("os", pl.String(), "family of the operating system, by the first event; null = unknown"),
            Column("country", pl.String(), "country, by the first event; null = unknown", "ISO 3166-1 alpha-2"),
            Column("language", pl.String(), "the visitor's language, by the first event; null = unknown", "BCP 47"),
            Column("is_bounce", pl.Boolean(), "whether it is one page view and no other interactive event"),
            Column("is_bot", pl.Boolean(), "whether the visitor had any event of a bot that day"),
        ),
    ),
    inputs=("events",),
    build=build,
    by_visitor=True,
)
