"""Counting people's visits by what the sessions say of them: what several reports have in common."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import distinct
from pipelines.reports.report import Report, shaped

SITE_AND_DATE = (
    Column("site", pl.String(), "the domain of the site"),
    Column("date", pl.Date(), "the day, in the site's time zone"),
)

MEASURES = (
    Column("visitors", pl.Int64(), "distinct visitors with such a visit"),
    Column("visits", pl.Int64(), "such visits", additive=True),
    Column("pageviews", pl.Int64(), "page views in those visits", additive=True),
    Column("bounces", pl.Int64(), "those visits of one page view and no other interactive event", additive=True),
    Column("visit_seconds", pl.Int64(), "length of those visits together", "seconds", additive=True),
    Column(
        "engaged_seconds", pl.Float64(), "how long pages were in view and focused in them", "seconds", additive=True
    ),
)


def visits_report(name: str, description: str, by: tuple[Column, ...], among: pl.Expr | None = None) -> Report:
    """A report of people's visits by columns of `sessions`: those columns are its key, empty where they are null.

    `among`: only the sessions for which this holds.
    """
    names = tuple(column.name for column in by)
    spec = TableSpec(name, description, ("site", "date", *names), (*SITE_AND_DATE, *by, *MEASURES))
    wanted = ~pl.col("is_bot") if among is None else ~pl.col("is_bot") & among

    def build(sessions: pl.LazyFrame) -> pl.LazyFrame:
        counted = (
            sessions.filter(wanted)
            .group_by("site", pl.col(names).fill_null(""), date="session_date")
            .agg(visitors=distinct("visitor_id"), **visit_sums())
        )
        return shaped(counted, spec)

    return Report(spec, ("sessions",), build)


def visit_sums() -> dict[str, pl.Expr]:
    """The sums over sessions, by the name of their measure."""
    return {
        "visits": pl.len(),
        "pageviews": pl.col("pageviews").sum(),
        "bounces": pl.col("is_bounce").sum(),
        "visit_seconds": pl.col("duration_seconds").sum(),
        # Whole milliseconds, so that the order of adding up does not show.
        "engaged_seconds": pl.col("engaged_seconds").sum().round(3),
    }
