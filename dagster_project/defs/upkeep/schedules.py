"""When the run history is kept small."""

import dagster as dg

from dagster_project.defs.upkeep.jobs import forget_old_runs_job

forget_old_runs_schedule = dg.ScheduleDefinition(
    name="forget_old_runs_hourly",
    job=forget_old_runs_job,
    cron_schedule="5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A busy home makes a refresh every minute.",
)
