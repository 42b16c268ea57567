"""The jobs that keep tables fast, in a process of bounded memory, and their schedules, which are on."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import dagster as dg
from pydantic import Field

from dagster_project.defs.upkeep.jobs import UPKEEP_POOL
from dagster_project.lake_resource import LakeResource
from dagster_project.settings import DagsterSettings
from lake.bounded_process import Failed, call_for_each
from lake.maintenance import Compaction, Vacuum, compact, vacuum
from lake.raw_schema import TABLE as LANDED
from lake.removals import REMOVALS
from lake.replays import REPLAYS
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS

_MIB = 1024 * 1024

Outcome = TypeVar("Outcome")


class MemoryConfig(dg.Config):
    """What the process of the upkeep may use."""

    memory_mb: int = Field(default=1024, description="MiB")


class CompactionConfig(MemoryConfig):
    """Which files are merged. What is written again by that is bounded by their size, and by how many must be there."""

    min_files: int = Field(default=50, description="only in days with so many small files or more")
    small_mb: int = Field(default=16, description="files of so many MiB or more are left alone")


def all_tables() -> list[str]:
    """The names of the tables of a lake, whether or not they have been created."""
    return [LANDED, EVENTS.name, REMOVALS.name, REPLAYS.name, *(report.name for report in load_reports())]


@dg.op(pool=UPKEEP_POOL)
def merge_small_files(context: dg.OpExecutionContext, config: CompactionConfig, lake: LakeResource) -> None:
    """Merges small files. Reports are replaced by days, and seldom have more than a file for one."""
    call = partial(compact, lake.lake, min_files=config.min_files, max_file_bytes=config.small_mb * _MIB)
    done = _done(context, call_for_each(call, all_tables(), config.memory_mb * _MIB), _compacted)
    context.add_output_metadata(
        {
            "files before": sum(each.files_before for each in done),
            "files after": sum(each.files_after for each in done),
            "rows": sum(each.rows for each in done),
        }
    )


@dg.op(pool=UPKEEP_POOL)
def delete_unneeded_files(context: dg.OpExecutionContext, config: MemoryConfig, lake: LakeResource) -> None:
    """Deletes replaced files after the hours for which readers may need them, and those of writes that failed."""
    done = _done(context, call_for_each(partial(vacuum, lake.lake), all_tables(), config.memory_mb * _MIB), _vacuumed)
    context.add_output_metadata({"files deleted": sum(each.files_deleted for each in done)})


def _done(
    context: dg.OpExecutionContext, outcomes: Iterable[Outcome | Failed], describe: Callable[[Outcome], str]
) -> list[Outcome]:
    """Logs what becomes of each table; those that failed fail the run, after all had their turn."""
    done, failed = [], []
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            context.log.error(outcome.sentence)
            failed.append(outcome.sentence)
        else:
            context.log.info(describe(outcome))
            done.append(outcome)
    if failed:
        raise dg.Failure("\n".join(failed))
    return done


def _compacted(done: Compaction) -> str:
    waits = "; another writer changed the same files, the rest waits for the next time" if done.conflict else ""
    return f"{done.table}: {done.files_before:,} files became {done.files_after:,}, with {done.rows:,} rows{waits}"


def _vacuumed(done: Vacuum) -> str:
    return f"{done.table}: {done.files_deleted:,} files deleted, with {done.rows:,} rows before and after"


@dg.definitions
def upkeep_of_tables() -> dg.Definitions:
    """The jobs with the settings' memory."""
    memory = DagsterSettings().upkeep_memory_mb
    often = dg.RunConfig(ops={"merge_small_files": CompactionConfig(memory_mb=memory)})
    # Once a day it is worth while to write larger files again, and to have one file where there are two.
    nightly = dg.RunConfig(ops={"merge_small_files": CompactionConfig(memory_mb=memory, min_files=2, small_mb=64)})

    @dg.job(
        name="compact",
        description="Merges the small files that landing and refreshing leave. Changes no row.",
        config=often,
    )
    def compact_job() -> None:
        merge_small_files()

    @dg.job(
        name="vacuum",
        description="Deletes files that no version of a table of the last hours needs. Changes no row.",
        config=dg.RunConfig(ops={"delete_unneeded_files": MemoryConfig(memory_mb=memory)}),
    )
    def vacuum_job() -> None:
        delete_unneeded_files()

    schedules = [
        dg.ScheduleDefinition(
            name="compact_every_10_minutes",
            job=compact_job,
            cron_schedule="*/10 * * * *",
            run_config=often,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="The worker adds a file a second: so there are never more than a few hundred.",
        ),
        dg.ScheduleDefinition(
            name="compact_daily",
            job=compact_job,
            cron_schedule="45 0 * * *",
            run_config=nightly,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Merges what is left of days that are over, into larger files.",
        ),
        dg.ScheduleDefinition(
            name="vacuum_hourly",
            job=vacuum_job,
            cron_schedule="35 * * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="A table that is refreshed every minute replaces its last day, 60 times an hour.",
        ),
    ]
    return dg.Definitions(jobs=[compact_job, vacuum_job], schedules=schedules)
