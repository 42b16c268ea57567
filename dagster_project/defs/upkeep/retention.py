"""The job that deletes raw rows past their retention, and its schedule, which is on where a retention is set."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from dagster_project.defs.upkeep.jobs import UPKEEP_POOL
from dagster_project.lake_resource import LakeResource
from dagster_project.settings import DagsterSettings
from lake.events_table import taken_in
from lake.raw_schema import DEAD_LETTER, EVENT
from lake.retention import expire
from lake.table_version import open_version
from pipelines.reports.clean_events import EVENTS


class RetentionConfig(dg.Config):
    """How many days raw rows are kept, by kind; null keeps them for ever."""

    events_days: int | None = None
    dead_letters_days: int | None = None


@dg.op(pool=UPKEEP_POOL)
def delete_expired(context: dg.OpExecutionContext, config: RetentionConfig, lake: LakeResource) -> None:
    """Deletes whole days of raw events and dead letters."""
    now = datetime.now(UTC)
    progress = taken_in(open_version(lake.lake, EVENTS))
    for kind, days in ((EVENT, config.events_days), (DEAD_LETTER, config.dead_letters_days)):
        if days is not None:
            done = expire(lake.lake, kind, now.date() - timedelta(days=days), taken_in=progress, now=now)
            context.log.info(
                "%s: %d rows of %d days deleted; %d days stay until events has taken them in",
                kind,
                done.rows,
                done.days,
                done.days_kept,
            )


@dg.definitions
def retention() -> dg.Definitions:
    """The job with the settings' retention."""
    settings = DagsterSettings()
    kept = RetentionConfig(
        events_days=settings.retention_events_days, dead_letters_days=settings.retention_dead_letters_days
    )
    is_set = kept.events_days is not None or kept.dead_letters_days is not None

    @dg.job(
        name="expire",
        description="Deletes raw events and dead letters that were landed longer ago than their retention says. "
        "Clean events, sessions and reports stay.",
        config=dg.RunConfig(ops={"delete_expired": kept}),
    )
    def expire_job() -> None:
        delete_expired()

    schedule = dg.ScheduleDefinition(
        name="expire_daily",
        job=expire_job,
        cron_schedule="20 0 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if is_set else dg.DefaultScheduleStatus.STOPPED,
        description="On where LOGEKTOR_RETENTION_EVENTS_DAYS or LOGEKTOR_RETENTION_DEAD_LETTERS_DAYS is set.",
    )
    return dg.Definitions(jobs=[expire_job], schedules=[schedule])
