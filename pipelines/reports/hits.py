"""The table `hits`: each event of people with the visit it belongs to; what stats queries are answered from."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import of_people
from pipelines.reports.report import Report, shaped
from pipelines.reports.session_cuts import in_sessions, totals

_OWN = {
    **{name: name for name in ("site", "event_id", "occurred_at", "action", "path", "host", "visitor_id")},
    "date": "event_date",
    **{name: name for name in ("engaged_ms", "scroll_depth", "properties", "goals")},
}
_OF_VISIT = (
    *("source", "channel", "referrer_host"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
    *("country", "device", "browser", "os"),
)
_NEEDED = ("kafka_partition", "kafka_offset", *_OWN.values(), *_OF_VISIT)
_EVENT = ("site", "event_date", "event_id")


def build(events: pl.LazyFrame, conversions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per event that is no bot's. An event outside of any visit says itself where it came from."""
    goals = conversions.group_by("site", "event_id", event_date="date").agg(goals=pl.col("goal").sort())
    rows = of_people(events).join(goals, on=_EVENT, how="left").select(_NEEDED)
    return rows.map_batches(_with_visits, schema=HITS.spec.schema)


def _with_visits(events: pl.DataFrame) -> pl.DataFrame:
    """Rows are taken by their number, which is far cheaper than to join them: they are wide."""
    events = events.with_row_index("row")
    members = in_sessions(events.lazy()).collect()
    visits = _visits(events, members)
    visit = members.select("row", "session").join(visits, on="session")
    of_rows = events.select("row").join(visit, on="row", how="left", maintain_order="left")
    own = events.select(pl.col(column).alias(name) for name, column in _OWN.items())
    entered = of_rows["entry_row"].fill_null(of_rows["row"])
    shared = events.select(_OF_VISIT)[entered]
    told = of_rows.select(
        "session_id",
        "session_pageviews",
        "session_seconds",
        "session_is_bounce",
        entry_page=_path(events, of_rows["first_view_row"]),
        exit_page=_path(events, of_rows["last_view_row"]),
    )
    whole = pl.concat([own, shared, told], how="horizontal")
    return shaped(whole.lazy().with_columns(pl.col("goals").fill_null([])), HITS.spec).collect()


def _visits(events: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Each visit with its id: numbers by day, in an order that does not hang on the order of rows."""
    visits = totals(members.lazy()).collect()
    entries = events.select(_EVENT)[visits["entry_row"]]
    in_order = pl.concat([visits, entries], how="horizontal").sort("event_date", "site", "started_at", "event_id")
    number = pl.int_range(pl.len()).over("event_date")
    return in_order.select(
        "session",
        "entry_row",
        "first_view_row",
        "last_view_row",
        session_id=pl.col("event_date").to_physical().cast(pl.Int64()) * 2**32 + number,
        session_pageviews=pl.col("pageviews"),
        session_seconds=(pl.col("ended_at") - pl.col("started_at")).dt.total_seconds(),
        session_is_bounce=(pl.col("pageviews") == 1) & (pl.col("events") == 1),
    )


def _path(events: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """The path of each numbered row, empty where it has none; null where there is no such row."""
    return events["path"].fill_null("").gather(rows)


HITS = Report(
    spec=TableSpec(
        name="hits",
        description="Each event of people with the visit it belongs to: what stats queries are answered from.",
        # In the order of time, in which a visit's events are near each other; the site and day are those of the file.
        key=("site", "date", "occurred_at", "event_id"),
        single_rows=True,
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("event_id", pl.String(), "the event's id"),
            Column("occurred_at", pl.Datetime("us", "UTC"), "when it happened", "UTC"),
            Column("action", pl.String(), "what was done; pageview for page views"),
            Column("path", pl.String(), "the page it happened on"),
            Column("host", pl.String(), "the host of that page"),
            Column("visitor_id", pl.String(), "the visitor; null where the visitor asked not to be told apart"),
            Column("session_id", pl.Int64(), "the visit, numbered over all days and sites; null outside of any"),
            Column("source", pl.String(), "where the visit came from; Direct / None"),
            Column("channel", pl.String(), "the kind of source of the visit, such as Organic Search"),
            Column("referrer_host", pl.String(), "host that the visit was referred by, the site's own too"),
            Column("utm_source", pl.String(), "campaign parameter of the visit"),
            Column("utm_medium", pl.String(), "campaign parameter of the visit"),
            Column("utm_campaign", pl.String(), "campaign parameter of the visit"),
            Column("utm_content", pl.String(), "campaign parameter of the visit"),
            Column("utm_term", pl.String(), "campaign parameter of the visit"),
            Column("entry_page", pl.String(), "path of the visit's first page view; null without page views"),
            Column("exit_page", pl.String(), "path of the visit's last page view; null without page views"),
            Column("country", pl.String(), "country of the visit; null = unknown", "ISO 3166-1 alpha-2"),
            Column("device", pl.String(), "of the visit: Desktop, Mobile or Tablet; null = unknown"),
            Column("browser", pl.String(), "of the visit: family of the browser; null = unknown"),
            Column("os", pl.String(), "of the visit: family of the operating system; null = unknown"),
            Column("session_pageviews", pl.Int64(), "page views of the visit"),
            Column("session_seconds", pl.Int64(), "from first to last event of the visit, rounded down", "seconds"),
            Column("session_is_bounce", pl.Boolean(), "whether the visit is one page view and nothing else"),
            Column("engaged_ms", pl.Int64(), "of an engagement: how long the page was in view and focused", "ms"),
            Column("scroll_depth", pl.Int32(), "of an engagement: the deepest part of the page seen so far", "%"),
            Column("properties", pl.String(), "what else the site says, a JSON object"),
            Column("goals", pl.List(pl.String()), "names of the goals that it reaches, in sites.toml's words"),
        ),
    ),
    inputs=("events", "conversions"),
    build=build,
)
