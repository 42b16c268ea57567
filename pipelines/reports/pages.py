"""The report `pages`: what each page of a site got each day."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import of_people
from pipelines.reports.report import Report, shaped

_KEY = ("site", "date", "path")


def build(events: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day and path that a person viewed. Hosts of one site count together."""
    viewed = (
        of_people(events)
        .filter(pl.col("action") == "pageview")
        .group_by("site", date="event_date", path=pl.col("path").fill_null(""))
        .agg(visitors=pl.col("visitor_id").drop_nulls().n_unique(), pageviews=pl.len())
    )
    visits = sessions.filter(~pl.col("is_bot"), pl.col("pageviews") > 0)
    entered = visits.group_by("site", date="session_date", path="entry_page").agg(
        entries=pl.len(), bounces=pl.col("is_bounce").sum()
    )
    left = visits.group_by("site", date="session_date", path="exit_page").agg(exits=pl.len())
    counted = (
        viewed.join(entered, on=_KEY, how="left")
        .join(left, on=_KEY, how="left")
        .with_columns(pl.col("entries", "exits", "bounces").fill_null(0))
    )
    return shaped(counted, PAGES.spec)


PAGES = Report(
    spec=TableSpec(
        name="pages",
        description="Page views, visitors, entries and exits of each page, by site and day. People only.",
        key=_KEY,
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("path", pl.String(), "the page's path as sent; empty where a page view names no page"),
            Column("visitors", pl.Int64(), "distinct visitors who viewed the page that day"),
            Column("pageviews", pl.Int64(), "views of the page", additive=True),
            Column("entries", pl.Int64(), "visits whose first page it was", additive=True),
            Column("exits", pl.Int64(), "visits whose last page it was", additive=True),
            Column("bounces", pl.Int64(), "visits that were one view of it and nothing else", additive=True),
        ),
    ),
    inputs=("events", "sessions"),
    build=build,
)
