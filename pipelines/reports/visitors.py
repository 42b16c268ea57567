"""The reports `visitors_weekly` and `visitors_monthly`: visitors of more than a day, whom days can't be added up to."""

from collections.abc import Callable

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped
from pipelines.reports.window import Unit, Window


def build_weeks(people_daily: pl.LazyFrame, traffic: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site and week that has any event."""
    return shaped(_visitors(people_daily, traffic, "1w"), VISITORS_WEEKLY.spec)


def build_months(people_daily: pl.LazyFrame, traffic: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site and month that has any event."""
    return shaped(_visitors(people_daily, traffic, "1mo"), VISITORS_MONTHLY.spec)


def _visitors(people_daily: pl.LazyFrame, traffic: pl.LazyFrame, every: str) -> pl.LazyFrame:
    by = (pl.col("site"), pl.col("date").dt.truncate(every))
    named = pl.col("person") != ""
    known = people_daily.filter(named).group_by(by).agg(known=pl.col("person").n_unique())
    nameless = people_daily.filter(~named).group_by(by).agg(nameless=pl.col("visitors").sum())
    happened = traffic.group_by(by).agg(pl.col("visits", "pageviews").sum())
    return (
        happened.join(known, on=("site", "date"), how="left")
        .join(nameless, on=("site", "date"), how="left")
        .with_columns(visitors=pl.col("known").fill_null(0) + pl.col("nameless").fill_null(0))
    )


def _report(unit: Unit, first: str, build: Callable[..., pl.LazyFrame]) -> Report:
    return Report(
        spec=TableSpec(
            name=f"visitors_{unit}ly",
            description=f"Visitors, visits and page views of each site and {unit}. Signed-in users and visitors with "
            f"an id of the client's own count once a {unit}; others can't be known again and count once on each day "
            "they came. People only.",
            key=("site", "date"),
            columns=(
                Column("site", pl.String(), "the domain of the site"),
                Column("date", pl.Date(), f"the first day of the {unit}{first}, in the site's time zone"),
                Column(
                    "visitors", pl.Int64(), f"people who came in the {unit}; those without an id of their own by day"
                ),
                Column("visits", pl.Int64(), "sessions of people", additive=True),
                Column("pageviews", pl.Int64(), "page views by people", additive=True),
            ),
        ),
        inputs=("people_daily", "traffic"),
        build=build,
        window=Window(unit),
    )


VISITORS_WEEKLY = _report("week", ", a Monday", build_weeks)
VISITORS_MONTHLY = _report("month", "", build_months)
