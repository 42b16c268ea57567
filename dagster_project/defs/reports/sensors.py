"""When tables are refreshed: soon after something was landed, and only the days it touches."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from dagster_project.days import DAYS, newest_of, ranges, tags_of
from dagster_project.defs.reports.checks import rebuilds
from dagster_project.lake_resource import LakeResource
from dagster_project.table_asset import BuildConfig
from pipelines.refresh.behind import look_behind
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS

LOOK_SECONDS = 15
PAUSE = timedelta(seconds=60)
"""From the start of one refresh to the start of the next: a run takes seconds only to start."""

PAUSE_AFTER_FAILURES = timedelta(minutes=5)
MAX_RUNS = 4
"""Runs that one look asks for. Days that lie apart need a run each; what is left is still behind at the next look."""

OUTDATED_EVENTS = 2_000_000
"""About how many events the days have that a look asks to be made anew after a change of definition."""

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_REPORTS = load_reports()
_TABLES = (EVENTS.name, *(report.name for report in _REPORTS))

REFRESHED = dg.AssetSelection.assets(*_TABLES) - dg.AssetSelection.checks(rebuilds)
"""All tables with the checks that cost little."""


@dg.sensor(
    name="refresh",
    target=REFRESHED,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def refresh(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Refreshes the days that are behind what was landed: new events, late ones of long ago, or days left half done.

    Days that were built by another definition (code, or what sites.toml says) come after them, little by little.
    One refresh at a time, and a minute from one to the next; after two failures in a row 5 minutes.
    """
    reason = _reason_to_wait(context.instance, datetime.now(UTC))
    if reason is not None:
        return dg.SkipReason(reason)
    behind = look_behind(lake.lake, _REPORTS, lake.sites())
    if not (behind.new or behind.outdated):
        return dg.SkipReason("All tables have everything that was landed.")
    known = list(context.instance.get_dynamic_partitions(str(DAYS.name)))
    new = sorted({day.isoformat() for day in (*behind.new, *behind.outdated)} - set(known))
    # The days that turned up last come first: they are looked at most.
    wanted = ranges(behind.new, [*known, *new])[: -MAX_RUNS - 1 : -1]
    wanted += ranges(newest_of(behind.outdated, OUTDATED_EVENTS), [*known, *new])[:-2:-1]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                tags=tags_of(first, last),
                run_config=dg.RunConfig(ops={name: BuildConfig(rebuild=False) for name in _TABLES}),
            )
            for first, last in wanted
        ],
        dynamic_partitions_requests=[DAYS.build_add_request(new)] if new else [],
    )


def _reason_to_wait(instance: dg.DagsterInstance, now: datetime) -> str | None:
    tags = {"dagster/sensor_name": "refresh"}
    if running := instance.get_run_records(dg.RunsFilter(tags=tags, statuses=_UNFINISHED), limit=1):
        return f"Run {running[0].dagster_run.run_id[:8]} is refreshing tables."
    latest = instance.get_run_records(dg.RunsFilter(tags=tags), limit=2)
    if not latest:
        return None
    # One failure may be a killed process; two in a row will hardly be mended by a third run at once.
    failing = len(latest) == 2 and all(record.dagster_run.is_failure for record in latest)
    pause = PAUSE_AFTER_FAILURES if failing else PAUSE
    if now - latest[0].create_timestamp < pause:
        return f"The last refresh was started less than {pause.total_seconds():.0f} seconds ago."
    return None
