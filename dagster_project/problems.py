"""What is wrong now, as the run history and the lake say: failed runs, failed checks, tables that are not fresh."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from dagster_project.table_asset import QUIET
from lake.errors import LakeError
from lake.location import Lake
from pipelines.refresh.waiting import waiting_since

Problems = Mapping[str, str]
"""A sentence by key; the key stays the same as long as the problem lasts. Never a word of a table's rows."""

_AGAIN = timedelta(minutes=1)
"""So far back runs are looked at again: one may show later than another that ended after it."""

LATE = timedelta(minutes=10)
"""How long a landed event may wait until `events` has it."""


def run_problems(
    instance: dg.DagsterInstance, known: Problems, since: datetime, jobs: Iterable[str]
) -> tuple[Problems, datetime]:
    """The jobs whose last finished run failed, and until when that is so.

    `known`: what this said of the runs that were finished until `since`.
    """
    finished = instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE], updated_after=since - _AGAIN
        ),
        order_by="update_timestamp",
        ascending=True,
    )
    problems = {key: text for key, text in known.items() if key.startswith("run:")}
    for record in finished:
        run = record.dagster_run
        problems.pop(_key(run.job_name), None)
        if run.is_failure:
            problems[_key(run.job_name)] = f"Run {run.run_id[:8]} of {_title(run)} failed."
    # A job that is no more will never be well again.
    of_jobs = {_key(job) for job in jobs}
    problems = {key: text for key, text in problems.items() if key in of_jobs}
    return problems, max((record.update_timestamp for record in finished), default=since)


def _key(job: str) -> str:
    """A sensor's own job counts as the job of its name."""
    return f"run:{job.removeprefix('__anonymous_asset_job_')}"


def _title(run: dg.DagsterRun) -> str:
    for tag, kind in (("dagster/sensor_name", "sensor"), ("dagster/schedule_name", "schedule")):
        if tag in run.tags:
            return f"{kind} {run.tags[tag]}"
    return "tables, asked for by hand" if run.job_name.startswith("__") else f"job {run.job_name}"


def check_problems(instance: dg.DagsterInstance, known: Problems, checks: Iterable[dg.AssetCheckKey]) -> Problems:
    """The checks that failed the last time; while one is being made, what was known of it."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    problems = {}
    for check, execution in latest.items():
        key = f"check:{check.to_user_string()}"
        if execution.status == AssetCheckExecutionRecordStatus.FAILED:
            problems[key] = f"Check {check.name} of {check.asset_key.to_user_string()} fails."
        elif execution.status == AssetCheckExecutionRecordStatus.PLANNED and key in known:
            problems[key] = known[key]
    return problems


def freshness_problems(
    instance: dg.DagsterInstance, lake: Lake, tables: Iterable[dg.AssetKey], now: datetime
) -> Problems:
    """The tables that nothing new came into for longer than their policy allows, and events that wait too long."""
    states = instance.get_freshness_state_records(list(tables))
    problems = {
        f"freshness:{key.to_user_string()}": f"{key.to_user_string()} got nothing new for {QUIET.days * 24} hours."
        for key, record in states.items()
        if record.freshness_state == FreshnessState.FAIL
    }
    try:
        since = waiting_since(lake)
    except LakeError:
        return {**problems, "freshness:lake": "The lake can't be read."}
    if since is not None and now - since > LATE:
        problems["freshness:waiting"] = f"Events landed at {since:%Y-%m-%d %H:%M} UTC are not in the tables yet."
    return problems
