"""The table `hits`: each event of people with the visit it belongs to; what stats queries are answered from."""

from hashlib import blake2b

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import of_people
from pipelines.reports.report import Report, shaped
from pipelines.reports.session_cuts import NEEDED, in_sessions, paths, totals

_OWN = {
    **{name: name for name in ("site", "event_id", "occurred_at", "action", "path", "host", "visitor_id")},
    "date": "event_date",
    **{name: name for name in ("engaged_ms", "scroll_depth", "properties")},
}
_OF_VISIT = (
    *("source", "channel", "referrer_host"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
    *("country", "device", "browser", "os"),
)
_EVENT = ("site", "event_date", "event_id")


def build(events: pl.LazyFrame, conversions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per event that is no bot's. An event outside of any visit says itself where it came from."""
    people = of_people(events).select({*NEEDED, *_OWN.values(), *_OF_VISIT}).collect(engine="streaming")
    # In the order of time, in which a visit's events are near each other.
    rows = people[people["occurred_at"].arg_sort()]
    own = rows.select(pl.col(column).alias(name) for name, column in _OWN.items())
    whole = pl.concat([own, _of_visits(rows), _goals(rows, conversions)], how="horizontal")
    return shaped(whole.lazy(), HITS.spec)


def _of_visits(events: pl.DataFrame) -> pl.DataFrame:
    """What each event's visit says. Rows are taken by their number, which is far cheaper than to join them."""
    members = in_sessions(events)
    visits = totals(members)
    named = visits.select(
        "session",
        "entry_row",
        session_pageviews="pageviews",
        session_seconds="duration_seconds",
        session_is_bounce="is_bounce",
    ).with_columns(
        session_id=_visit_numbers(events.select(_EVENT)[visits["entry_row"]]),
        entry_page=paths(events, visits["first_view_row"]),
        exit_page=paths(events, visits["last_view_row"]),
    )
    visit = members.select("row", "session").join(named, on="session").drop("session")
    numbers = events.select(row=pl.int_range(pl.len(), dtype=pl.get_index_type()))
    of_events = numbers.join(visit, on="row", how="left", maintain_order="left")
    entered = of_events["entry_row"].fill_null(of_events["row"])
    shared = events.select(_OF_VISIT)[entered]
    return pl.concat([shared, of_events.drop("row", "entry_row")], how="horizontal")


def _visit_numbers(entries: pl.DataFrame) -> pl.Series:
    """A number for each visit by its first event: it hangs neither on the order of rows nor on other visits."""
    named = entries.select(pl.concat_str("site", pl.col("event_date").cast(pl.String), "event_id", separator="\0"))
    return pl.Series(map(_number, named.to_series()), dtype=pl.Int64())


def _number(name: str) -> int:
    """The same in every version of every library, which Polars' own hashes are not."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)


def _goals(events: pl.DataFrame, conversions: pl.LazyFrame) -> pl.DataFrame:
    """The goals that each event reaches, in order."""
    numbers = events.lazy().select(_EVENT).with_row_index("row")
    reached = conversions.select("site", "event_id", "goal", event_date="date")
    of_rows = numbers.join(reached, on=_EVENT).group_by("row").agg(goals=pl.col("goal").sort())
    each = numbers.select("row").join(of_rows, on="row", how="left", maintain_order="left")
    return each.select(pl.col("goals").fill_null([])).collect(engine="in-memory")


HITS = Report(
    spec=TableSpec(
        name="hits",
        description="Each event of people with the visit it belongs to: what stats queries are answered from.",
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
            Column(
                "session_id",
                pl.Int64(),
                "the visit, by a number of its own among those of all days and sites; null outside of any",
            ),
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
    by_visitor=True,
)
