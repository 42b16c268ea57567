"""Whether reports hold one row per key, all events, and what a rebuild would make."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial

import dagster as dg

from dagster_project.days import DAYS, days_of_run
from dagster_project.failed_days import look_again
from dagster_project.lake_resource import LakeResource
from dagster_project.table_asset import REFRESH_POOL
from dagster_project.table_check import key_check, key_checks, table_check
from pipelines.refresh.balance import traffic_balance
from pipelines.refresh.stored import compare_with_rebuild
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from pipelines.reports.traffic import TRAFFIC
from sites import Site

EQUALS_REBUILD = "equals_rebuild"

_REPORTS = load_reports()


def adds_up(lake: LakeResource, days: Sequence[date]) -> dg.AssetCheckResult:
    """Events and page views of people and bots = those of `events`."""
    found = traffic_balance(lake.lake, days)
    metadata = {
        "days": len(days),
        "events in traffic": found.in_traffic[0],
        "events in events": found.in_events[0],
        "page views in traffic": found.in_traffic[1],
        "page views in events": found.in_events[1],
    }
    return dg.AssetCheckResult(passed=found.holds, metadata=metadata)


def equals_rebuild(
    lake: LakeResource, report: Report, sites: Iterable[Site], days: Sequence[date]
) -> dg.AssetCheckResult:
    """Days of a report, built in memory, are the stored ones; tells of the first that is not."""
    says = "There is no day that could be compared: the next refresh makes them anew."
    compared: dict[str, dg.RawMetadataValue] = {}
    for day in days:
        found = compare_with_rebuild(lake.lake, report, day, sites)
        if found is None:
            continue
        says = "" if found.none else f"{day} is not what a rebuild makes of it. Rebuild it, and ask why."
        compared = {
            "day": day.isoformat(),
            "rows": found.rows,
            "rows only a rebuild has": found.added,
            "rows a rebuild has not": found.removed,
            "rows a rebuild changes": found.changed,
            "columns it changes": ", ".join(found.columns),
        }
        if not found.none:
            break
    failed = bool(compared and says)
    return dg.AssetCheckResult(
        asset_key=report.name,
        check_name=EQUALS_REBUILD,
        passed=not failed,
        description=says or None,
        metadata=compared,
    )


def sampled_day(days: Sequence[date], today: date) -> date | None:
    """One of the days, another one tomorrow."""
    return sorted(days)[today.toordinal() % len(days)] if days else None


@dg.multi_asset_check(
    name="rebuild_in_memory",
    specs=[
        dg.AssetCheckSpec(
            EQUALS_REBUILD,
            asset=report.name,
            description="One day of those that were built, another one each day, is what a rebuild of it would be.",
        )
        for report in _REPORTS
    ],
    pool=REFRESH_POOL,
    can_subset=True,
)
def rebuilds(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
    """Costs what a rebuild of the day costs, so once a day and not with each refresh."""
    known = context.instance.get_dynamic_partitions(str(DAYS.name))
    day = sampled_day(days_of_run(context.run.tags, known), datetime.now(UTC).date())
    selected = {key.asset_key for key in context.selected_asset_check_keys}
    sites = lake.sites()
    for report in _REPORTS:
        key = dg.AssetCheckKey(dg.AssetKey(report.name), EQUALS_REBUILD)
        if key.asset_key in selected:
            look = partial(equals_rebuild, lake, report, sites)
            yield look_again(context.instance, key, [] if day is None else [day], look)


compare_job = dg.define_asset_job(
    "compare_with_rebuild",
    selection=dg.AssetSelection.checks(rebuilds),
    description="Builds one day of all reports in memory and compares it with the stored one. Changes nothing.",
)

compare_schedule = dg.ScheduleDefinition(
    name="compare_with_rebuild_daily",
    job=compare_job,
    cron_schedule="40 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="One of the latest 31 days each night.",
)


@dg.definitions
def checks() -> dg.Definitions:
    """A check of the key per table, of the sums of `traffic`, and of one day. What others are made of blocks them."""
    traffic = table_check(
        TRAFFIC.name,
        "adds_up_with_events",
        "Events and page views of people and bots together are those of the table events.",
        deps=[EVENTS.name],
        look=adds_up,
    )
    inputs = {name for report in _REPORTS for name in report.inputs}
    of_inputs = [key_check(report.spec, report.window.start) for report in _REPORTS if report.name in inputs]
    of_others = key_checks([report for report in _REPORTS if report.name not in inputs])
    return dg.Definitions(
        asset_checks=[*of_inputs, of_others, traffic, rebuilds], jobs=[compare_job], schedules=[compare_schedule]
    )
