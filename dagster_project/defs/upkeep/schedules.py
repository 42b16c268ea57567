"""When upkeep is done."""

import dagster as dg

from dagster_project.defs.upkeep.jobs import compact_job, forget_old_runs_job

compact_schedule = dg.ScheduleDefinition(
    name="compact_every_10_minutes",
    job=compact_job,
    cron_schedule="*/10 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The worker adds a file a second: so there are never more than a few hundred.",
)

forget_old_runs_schedule = dg.ScheduleDefinition(
    name="forget_old_runs_hourly",
    job=forget_old_runs_job,
    cron_schedule="5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A busy home makes a refresh every half minute.",
)
