"""A report of one's own: how many signed up for which plan."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import Report, shaped


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day and plan."""
    plan = pl.col("properties").str.json_path_match("$.plan").fill_null("unknown")
    signed_up = events.filter(pl.col("action") == "signup", ~pl.col("is_bot"))
    return shaped(signed_up.group_by("site", plan.alias("plan"), date="event_date").agg(signups=pl.len()), SPEC)


SPEC = TableSpec(
    name="signups",
    description="Sign-ups of each site, day and plan.",
    key=("site", "date", "plan"),
    columns=(
        Column("site", pl.String(), "the domain of the site"),
        Column("date", pl.Date(), "the day, in the site's time zone"),
        Column("plan", pl.String(), "the property plan of the event; unknown without one"),
        Column("signups", pl.Int64(), "events with the action signup, by people", additive=True),
    ),
)
SIGNUPS = Report(spec=SPEC, inputs=("events",), build=build)
