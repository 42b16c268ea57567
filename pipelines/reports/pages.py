"""The report `pages`: what each page of a site got each day."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.engagement import ENGAGEMENT, engaged_seconds
from pipelines.reports.people import distinct, of_people
from pipelines.reports.report import Report, shaped
from pipelines.reports.visits import SITE_AND_DATE

_KEY = ("site", "date", "path")


def build(events: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day and path that a person viewed or was engaged with. Hosts of one site count together."""
    of_pages = of_people(events).select(
        "site",
        "action",
        "visitor_id",
        "engaged_ms",
        "scroll_depth",
        date="event_date",
        path=pl.col("path").fill_null(""),
    )
    viewed = (
        of_pages.filter(pl.col("action") == "pageview")
        .group_by(_KEY)
        .agg(visitors=distinct("visitor_id"), pageviews=pl.len())
    )
    engaged = of_pages.filter(pl.col("action") == ENGAGEMENT)
    looked_at = engaged.group_by(_KEY).agg(engagements=pl.len(), engaged_seconds=engaged_seconds())
    visits = sessions.filter(~pl.col("is_bot"), pl.col("pageviews") > 0)
    entered = visits.group_by("site", date="session_date", path="entry_page").agg(
        entries=pl.len(), bounces=pl.col("is_bounce").sum()
    )
    left = visits.group_by("site", date="session_date", path="exit_page").agg(exits=pl.len())
    counted = viewed.join(looked_at, on=_KEY, how="full", coalesce=True)
    for more in (_scrolled(engaged), entered, left):
        counted = counted.join(more, on=_KEY, how="left")
    return shaped(counted.with_columns(pl.selectors.numeric().fill_null(0)), PAGES.spec)


def _scrolled(engaged: pl.LazyFrame) -> pl.LazyFrame:
    """The deepest part that each visitor saw of a page that day, added up: visitors are told apart, page views not."""
    deepest = (
        engaged.filter(pl.col("visitor_id").is_not_null(), pl.col("scroll_depth").is_not_null())
        .group_by(*_KEY, "visitor_id")
        .agg(pl.col("scroll_depth").max().cast(pl.Int64))
    )
    return deepest.group_by(_KEY).agg(scroll_depth_sum=pl.col("scroll_depth").sum(), scroll_depth_count=pl.len())


PAGES = Report(
    spec=TableSpec(
        name="pages",
        description="Page views, visitors, entries, exits and engagement of each page, by site and day. People only.",
        key=_KEY,
        columns=(
            *SITE_AND_DATE,
            Column("path", pl.String(), "the page's path as sent; empty where an event names no page"),
            Column("visitors", pl.Int64(), "distinct visitors who viewed the page that day"),
            Column("pageviews", pl.Int64(), "views of the page", additive=True),
            Column("entries", pl.Int64(), "visits whose first page it was", additive=True),
            Column("exits", pl.Int64(), "visits whose last page it was", additive=True),
            Column("bounces", pl.Int64(), "visits of one view of it and no other interactive event", additive=True),
            Column("engagements", pl.Int64(), "events that say how long the page was looked at", additive=True),
            Column("engaged_seconds", pl.Float64(), "how long it was in view and focused", "seconds", additive=True),
            Column(
                "scroll_depth_sum",
                pl.Int64(),
                "the deepest part that each visitor saw of it that day, added up; divide by scroll_depth_count",
                "% of the page's height",
                additive=True,
            ),
            Column(
                "scroll_depth_count", pl.Int64(), "visitors and days whose scroll depth is in the sum", additive=True
            ),
        ),
    ),
    inputs=("events", "sessions"),
    build=build,
)
