"""The report `funnels`: how far people came who began a funnel of the site."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.report import SITE_FUNNELS, Report, shaped
from pipelines.reports.window import Window

LONGEST_DAYS = 30
"""The longest window that sites.toml allows a funnel."""

_FUNNEL_DAY = ("site", "funnel", "date")
_BEGUN = (*_FUNNEL_DAY, "person")


def build(conversions: pl.LazyFrame, site_funnels: pl.LazyFrame) -> pl.LazyFrame:
    """One row per step of a funnel that anybody began on a day, in the order of the steps."""
    person = pl.coalesce("user_id", "visitor_id")
    done = conversions.select("site", "date", "goal", "event_id", "occurred_at", person=person).filter(
        pl.col("person").is_not_null()
    )
    steps = done.join(site_funnels, on=("site", "goal"))
    # The earliest of the day begins it; where two happened at once, event_id decides.
    at = _earliest(steps.filter(pl.col("step") == 1).with_columns(begun_at="occurred_at"))
    last = site_funnels.select(pl.col("step").max()).collect().item() or 1
    reached = [_count(at, 1)]
    for step in range(2, last + 1):
        at = _next(at, steps.filter(pl.col("step") == step))
        reached.append(_count(at, step))
    return shaped(_with_drop_off(pl.concat(reached), site_funnels), FUNNELS.spec)


def _earliest(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The first event of each who began."""
    first = pl.col("occurred_at").min()
    return rows.group_by(_BEGUN).agg(
        pl.col("begun_at").min(),
        pl.col("window_days").first(),
        event_id=pl.col("event_id").filter(pl.col("occurred_at") == first).min(),
        occurred_at=first,
    )


def _next(at: pl.LazyFrame, step: pl.LazyFrame) -> pl.LazyFrame:
    """Those who did the next step after the last one, by another event and within the window of the first."""
    end = pl.col("begun_at") + pl.duration(days="window_days")
    done = step.select("site", "funnel", "person", done="event_id", done_at="occurred_at")
    return _earliest(
        at.join(done, on=("site", "funnel", "person"))
        .filter(pl.col("done_at").is_between("occurred_at", end), pl.col("done") != pl.col("event_id"))
        .select(*_BEGUN, "begun_at", "window_days", event_id="done", occurred_at="done_at")
    )


def _count(at: pl.LazyFrame, step: int) -> pl.LazyFrame:
    return at.group_by(_FUNNEL_DAY).agg(people=pl.len().cast(pl.Int64())).with_columns(step=pl.lit(step, pl.Int64()))


def _with_drop_off(reached: pl.LazyFrame, site_funnels: pl.LazyFrame) -> pl.LazyFrame:
    """All steps of each funnel that was begun, nobody on those that nobody reached."""
    begun = reached.filter(pl.col("step") == 1).select(_FUNNEL_DAY)
    steps = begun.join(site_funnels.select("site", "funnel", "step", "goal"), on=("site", "funnel"))
    before = reached.select(*_FUNNEL_DAY, pl.col("step") + 1, before="people")
    key = (*_FUNNEL_DAY, "step")
    lost = pl.when(pl.col("before") > 0).then(1 - pl.col("people") / pl.col("before")).otherwise(0.0)
    return (
        steps.join(reached, on=key, how="left")
        .join(before, on=key, how="left")
        .with_columns(pl.col("people", "before").fill_null(0))
        .with_columns(drop_off=lost)
    )


FUNNELS = Report(
    spec=TableSpec(
        name="funnels",
        description="How many people reached each step of a funnel of sites.toml, in order and within its window, by "
        "site and the day of their first step. Visitors without an id of their own are other people on each day.",
        key=(*_FUNNEL_DAY, "step"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("funnel", pl.String(), "the funnel's name in sites.toml"),
            Column("date", pl.Date(), "the day of the first step, in the site's time zone"),
            Column("step", pl.Int64(), "1 for the first step, 2 for the next"),
            Column("goal", pl.String(), "the goal that is the step"),
            Column("people", pl.Int64(), "distinct people who reached the step; a person may begin on several days"),
            Column(
                "drop_off", pl.Float64(), "share of the people of the step before who didn't reach it", "share, 0 to 1"
            ),
        ),
    ),
    inputs=("conversions", SITE_FUNNELS),
    build=build,
    window=Window(days_after=LONGEST_DAYS),
)
