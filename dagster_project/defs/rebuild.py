"""The jobs that bring tables up to what was landed, and that make days anew."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
from pydantic import Field

from dagster_project.days import DAYS
from dagster_project.lake_resource import LakeResource
from dagster_project.lake_retry import retried
from dagster_project.table_asset import REFRESH_POOL
from pipelines.refresh.errors import RefreshError
from pipelines.refresh.rebuild import rebuild_days
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.all_reports import load_reports
from pipelines.reports.all_tables import all_tables


class RebuildConfig(dg.Config):
    """Which days are made anew."""

    first_day: str = Field(description="the first day, YYYY-MM-DD, in the site's time zone")
    last_day: str = Field(description="the last day, YYYY-MM-DD, inclusive")


@dg.op(pool=REFRESH_POOL)
def refresh_tables(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Takes in what is landed and builds what is stale."""
    with retried():
        days = bring_up_to_date(lake.lake, load_reports(), lake.sites())
    _say_built(context, days)


@dg.op(pool=REFRESH_POOL)
def rebuild_tables(context: dg.OpExecutionContext, config: RebuildConfig, lake: LakeResource) -> None:
    """Makes all tables of some days anew."""
    first, last = date.fromisoformat(config.first_day), date.fromisoformat(config.last_day)
    try:
        with retried():
            days = rebuild_days(
                lake.lake,
                load_reports(),
                first,
                last,
                lake.sites(),
                lambda done, total, what: context.log.info("%d of %d: %s", done, total, what),
            )
    except RefreshError as error:
        raise dg.Failure(str(error)) from error
    _say_built(context, days)


def _say_built(context: dg.OpExecutionContext, days: Sequence[date]) -> None:
    """Lets Dagster know of days of all tables, as it would of its own runs of these assets."""
    keys = [day.isoformat() for day in days]
    known = set(context.instance.get_dynamic_partitions(str(DAYS.name)))
    if new := [key for key in keys if key not in known]:
        context.instance.add_dynamic_partitions(str(DAYS.name), new)
    for table in all_tables():
        for key in keys:
            context.log_event(dg.AssetMaterialization(table, partition=key))
    context.add_output_metadata({"days": len(days)})


@dg.job(
    name="refresh",
    description="Brings all tables up to what was landed, as the sensor does by itself: for a home whose sensor is "
    "switched off, or where nobody wants to wait.",
)
def refresh_job() -> None:
    """What is new, now."""
    refresh_tables()


@dg.job(
    name="rebuild",
    description="Makes all tables of some days anew from what was landed, as `logektor rebuild` does. Refuses days "
    "whose raw events may have expired.",
)
def rebuild_job() -> None:
    """After a fix, or where a check says that something is wrong."""
    rebuild_tables()
