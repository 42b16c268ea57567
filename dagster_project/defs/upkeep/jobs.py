"""The job that keeps the run history small."""

from datetime import UTC, datetime

import dagster as dg

from dagster_project.run_history import delete_old_runs
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS

UPKEEP_POOL = "upkeep"
"""Lets one run at a time keep tables: two compactions of one table must not meet."""


@dg.op(pool=UPKEEP_POOL)
def delete_runs(context: dg.OpExecutionContext) -> None:
    """Deletes old runs with their logs."""
    tables = [dg.AssetKey(spec.name) for spec in (EVENTS, *(report.spec for report in load_reports()))]
    context.log.info("%d runs deleted", delete_old_runs(context.instance, tables, datetime.now(UTC)))


@dg.job(
    name="forget_old_runs",
    description=(
        "Deletes runs that went well after a day, and all but the latest 100, where a sensor or schedule started them; "
        "other runs after a week, and all but the latest 300. "
        "The last run that built a day stays."
    ),
)
def forget_old_runs_job() -> None:
    """Keeps the run history small."""
    delete_runs()
