"""Checks of tables of days: each looks at the days of its run, or at the latest month where it runs on its own."""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg

from dagster_project.days import DAYS, days_of_run
from dagster_project.lake_resource import LakeResource
from dagster_project.table_asset import REFRESH_POOL
from lake.table_spec import TableSpec
from lake.table_version import open_version
from pipelines.refresh.balance import repeated_keys


def table_check(
    table: str,
    name: str,
    description: str,
    *,
    deps: Sequence[str] = (),
    blocking: bool = False,
    look: Callable[[LakeResource, Sequence[date]], dg.AssetCheckResult],
) -> dg.AssetChecksDefinition:
    """A check of some days of a table."""

    @dg.asset_check(
        asset=table, name=name, description=description, additional_deps=deps, blocking=blocking, pool=REFRESH_POOL
    )
    def check(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        known = context.instance.get_dynamic_partitions(str(DAYS.name))
        return look(lake, days_of_run(context.run.tags, known))

    return check


def key_check(spec: TableSpec, *, blocking: bool) -> dg.AssetChecksDefinition:
    """Whether each key of a table names one row."""

    def look(lake: LakeResource, days: Sequence[date]) -> dg.AssetCheckResult:
        repeated = repeated_keys(open_version(lake.lake, spec), days)
        return dg.AssetCheckResult(passed=repeated == 0, metadata={"days": len(days), "repeated keys": repeated})

    return table_check(spec.name, "key_is_unique", f"One row per {', '.join(spec.key)}.", blocking=blocking, look=look)
