"""Whether every record was landed, and how many of them are no events."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.settings import DagsterSettings
from lake.landed_count import count_landed_records, landed_on
from lake.location import Lake

FEW = 20
"""So few dead letters say nothing of their share."""


@dg.asset_check(
    asset="raw_events",
    name="every_record_is_landed",
    description="As many rows as records were landed, events and dead letters together, less what was removed. "
    "`logektor audit` looks at each offset.",
)
def every_record_is_landed(lake: LakeResource) -> dg.AssetCheckResult:
    """From the tables' logs alone."""
    found = count_landed_records(lake.lake)
    return dg.AssetCheckResult(
        passed=found.holds,
        description=None if found.holds else "Run `logektor audit`: it tells which offsets are missing or doubled.",
        metadata={
            "landed records": found.landed,
            "raw events": found.events,
            "dead letters": found.dead_letters,
            "removed": found.removed,
        },
    )


def share_of_dead_letters(lake: Lake, today: date, bound: float) -> dg.AssetCheckResult:
    """Dead letters among what was landed today and yesterday, in UTC."""
    events, dead_letters = landed_on(lake, today - timedelta(days=1), today)
    share = dead_letters / max(1, events + dead_letters)
    passed = dead_letters < FEW or share <= bound
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None
        if passed
        else f"{share:.1%} of what was landed since yesterday is no event: `logektor dead-letters` says why.",
        metadata={"events": events, "dead letters": dead_letters, "share": share, "bound": bound},
    )


@dg.definitions
def checks() -> dg.Definitions:
    """The checks with the setting's bound, and the job that makes them every ten minutes: no run of tables does."""
    bound = DagsterSettings().dead_letter_share

    @dg.asset_check(
        asset="dead_letters",
        name="share",
        description=f"Of what was landed today and yesterday (UTC), at most {bound:.1%} is no event. "
        f"LOGEKTOR_DEAD_LETTER_SHARE is the bound; up to {FEW - 1} dead letters say nothing.",
    )
    def share(lake: LakeResource) -> dg.AssetCheckResult:
        return share_of_dead_letters(lake.lake, datetime.now(UTC).date(), bound)

    job = dg.define_asset_job(
        "check_raw",
        selection=dg.AssetSelection.checks(every_record_is_landed, share),
        description="Checks that every record was landed, and how many are no events. Reads nothing but logs.",
    )
    schedule = dg.ScheduleDefinition(
        name="check_raw_every_10_minutes",
        job=job,
        cron_schedule="5-59/10 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Also where nothing but dead letters arrives, and no table is refreshed.",
    )
    return dg.Definitions(asset_checks=[every_record_is_landed, share], jobs=[job], schedules=[schedule])
