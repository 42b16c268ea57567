"""The table `conversions`: each event by which a person reached a goal of the site."""

import json
import re

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.distinct_values import each_distinct
from pipelines.reports.people import of_people
from pipelines.reports.report import SITE_GOALS, Report, shaped

_KIND = ("site", "action", "path")
_KEY = ("site", "date", "goal", "event_id")
_TOLD = ("visitor_id", "user_id", "occurred_at", "path", "source", "channel", "properties")
_WANTED = pl.List(pl.Struct({"json_path": pl.String(), "text": pl.String()}))


def build(events: pl.LazyFrame, sessions: pl.LazyFrame, site_goals: pl.LazyFrame) -> pl.LazyFrame:
    """One row per goal and event of a person that reaches it. Source and channel are those of the visit."""
    goals = site_goals.with_columns(pl.col("action").fill_null("pageview"))
    acts = (
        of_people(events)
        .join(goals, on=("site", "action"), how="semi")
        .select("site", "action", "event_id", *_TOLD, date="event_date")
        .collect(engine="streaming")
    )
    # Whether a path fits is asked once per path.
    kinds = acts.lazy().select(_KIND).unique()
    fitting = kinds.join(goals, on=("site", "action")).filter(_fits(pl.col("page"), "path"))
    reached = acts.lazy().join(fitting.select(*_KIND, "goal"), on=_KIND, nulls_equal=True).with_row_index("row")
    held = reached.collect(engine="in-memory").lazy()
    with_properties = held.join(_lacking(held, goals), on="row", how="anti")
    return shaped(_with_acquisition_of_visit(with_properties, sessions), CONVERSIONS.spec)


def _fits(page: pl.Expr, path: str) -> pl.Expr:
    return page.is_null() | pl.col(path).str.contains(each_distinct(_expression, pl.String(), page)).fill_null(False)


def _expression(page: str) -> str:
    """A page of a goal as a regular expression: `**` is anything, `*` anything without a slash."""
    parts = re.split(r"(\*+)", page)
    return (
        "^" + "".join({"*": "[^/]*"}.get(part, "(?s:.*)") if "*" in part else re.escape(part) for part in parts) + "$"
    )


def _lacking(reached: pl.LazyFrame, goals: pl.LazyFrame) -> pl.LazyFrame:
    """Those that lack a property that their goal wants. What is no text is compared as JSON writes it."""
    wanted = goals.select("site", "goal", each_distinct(_wanted, _WANTED, pl.col("properties")).alias("wanted"))
    each = wanted.explode("wanted", empty_as_null=False).unnest("wanted")
    had = pl.col("properties").str.json_path_match(pl.col("json_path"))
    return reached.join(each, on=("site", "goal")).filter(had.ne_missing(pl.col("text"))).select("row")


def _wanted(properties: str) -> list[dict[str, str]]:
    # sites.toml names no property with a quotation mark or a backslash.
    return [{"json_path": f'$["{name}"]', "text": text} for name, text in json.loads(properties).items()]


def _with_acquisition_of_visit(reached: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """An event outside of any visit keeps its own source."""
    visits = sessions.select(
        "site", "visitor_id", "started_at", "ended_at", "source", "channel", date="session_date"
    ).filter(pl.col("visitor_id").is_not_null())
    during = pl.col("occurred_at").is_between("started_at", "ended_at")
    visited = (
        reached.join(visits, on=("site", "date", "visitor_id"), suffix="_of_visit")
        .filter(during)
        .select("row", "source_of_visit", "channel_of_visit")
    )
    return reached.join(visited, on="row", how="left").with_columns(
        source=pl.coalesce("source_of_visit", "source"), channel=pl.coalesce("channel_of_visit", "channel")
    )


CONVERSIONS = Report(
    spec=TableSpec(
        name="conversions",
        description="Each event by which a person reached a goal of the site. Another goal in sites.toml fills it for "
        "the past too.",
        key=_KEY,
        single_rows=True,
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("goal", pl.String(), "the goal's name in sites.toml"),
            Column("event_id", pl.String(), "the event that reached it"),
            Column("visitor_id", pl.String(), "the visitor; null where the visitor asked not to be told apart"),
            Column("user_id", pl.String(), "the signed-in user"),
            Column("occurred_at", pl.Datetime("us", "UTC"), "when it happened", "UTC"),
            Column("path", pl.String(), "the page it happened on"),
            Column("source", pl.String(), "where the visit came from; Direct / None"),
            Column("channel", pl.String(), "the kind of source, such as Organic Search, Referral or Direct"),
        ),
    ),
    inputs=("events", "sessions", SITE_GOALS),
    build=build,
    by_visitor=True,
)
