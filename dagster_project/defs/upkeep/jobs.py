"""Jobs that keep tables fast and the run history small."""

from datetime import UTC, datetime

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.run_history import delete_old_runs
from lake.maintenance import compact
from lake.raw_schema import TABLE as LANDED
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS

UPKEEP_POOL = "upkeep"
"""Lets one run at a time keep tables: two compactions of one table must not meet."""


@dg.op(pool=UPKEEP_POOL)
def merge_small_files(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Merges small files of the tables that are appended to; reports are replaced, a day is one file anyway."""
    for name in (LANDED, EVENTS.name):
        done = compact(lake.lake, name)
        context.log.info("%s: %d files became %d, with %d rows", name, done.files_before, done.files_after, done.rows)


@dg.op(pool=UPKEEP_POOL)
def delete_runs(context: dg.OpExecutionContext) -> None:
    """Deletes old runs with their logs."""
    tables = [dg.AssetKey(spec.name) for spec in (EVENTS, *(report.spec for report in load_reports()))]
    context.log.info("%d runs deleted", delete_old_runs(context.instance, tables, datetime.now(UTC)))


@dg.job(name="compact", description="Merges the small files that landing and refreshing leave. Changes no row.")
def compact_job() -> None:
    """Keeps `landed` and `events` fast."""
    merge_small_files()


@dg.job(
    name="forget_old_runs",
    description=(
        "Deletes runs that went well after a day where a sensor or schedule started them, other runs after a week. "
        "The last run that built a day stays."
    ),
)
def forget_old_runs_job() -> None:
    """Keeps the run history small."""
    delete_runs()
