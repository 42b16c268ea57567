"""Checks of tables of days: each looks at the days of its run (at the latest month where it runs on its own)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial

import dagster as dg

from dagster_project.days import DAYS, days_of_run
from dagster_project.failed_days import FAILED_DAYS, look_again, named
from dagster_project.lake_resource import LakeResource
from dagster_project.table_asset import REFRESH_POOL
from lake.table_spec import TableSpec
from lake.table_version import open_version
from pipelines.refresh.balance import repeated_keys
from pipelines.reports.report import Report

KEY_IS_UNIQUE = "key_is_unique"

_SHOWN = 20


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
        days = days_of_run(context.run.tags, known)
        key = dg.AssetCheckKey(dg.AssetKey(table), name)
        return look_again(context.instance, key, days, lambda days: look(lake, days))

    return check


def key_check(spec: TableSpec, start: Callable[[date], date] = lambda day: day) -> dg.AssetChecksDefinition:
    """Whether each key of a table names one row. No table is built from days of it where one does not.

    `start` answers under which day the table holds a day, as table_asset says.
    """
    return table_check(
        spec.name,
        KEY_IS_UNIQUE,
        _says(spec),
        blocking=True,
        look=lambda lake, days: _look_for_repeated_keys(lake, spec, start, days),
    )


def key_checks(reports: Sequence[Report]) -> dg.AssetChecksDefinition:
    """The same of tables that no other is made of, as one step: each step of a run costs as much as a small table."""

    @dg.multi_asset_check(
        name="keys_are_unique",
        specs=[
            dg.AssetCheckSpec(KEY_IS_UNIQUE, asset=report.name, description=_says(report.spec)) for report in reports
        ],
        pool=REFRESH_POOL,
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        days = days_of_run(context.run.tags, context.instance.get_dynamic_partitions(str(DAYS.name)))
        selected = {key.asset_key for key in context.selected_asset_check_keys}
        for report in reports:
            key = dg.AssetCheckKey(dg.AssetKey(report.name), KEY_IS_UNIQUE)
            if key.asset_key in selected:
                look = partial(_look_for_repeated_keys, lake, report.spec, report.window.start)
                yield look_again(context.instance, key, days, look)

    return checks


def _says(spec: TableSpec) -> str:
    return f"One row per {', '.join(spec.key)}."


def _look_for_repeated_keys(
    lake: LakeResource, spec: TableSpec, start: Callable[[date], date], days: Sequence[date]
) -> dg.AssetCheckResult:
    repeated = repeated_keys(open_version(lake.lake, spec), {*map(start, days)})
    metadata: dict[str, dg.RawMetadataValue] = {"days": len(days), "repeated keys": repeated.count}
    if repeated.nth > 1:
        metadata["looked at"] = f"every {repeated.nth}th key"
    if repeated.count:
        bad = {day for _, day in repeated.by_site}
        metadata[FAILED_DAYS] = named(day for day in days if start(day) in bad)
        metadata["where"] = where(repeated.by_site)
        metadata["which"] = _query(lake.lake.table_uri(spec.name), spec, bad)
    return dg.AssetCheckResult(
        asset_key=spec.name,
        check_name=KEY_IS_UNIQUE,
        passed=repeated.count == 0,
        description=f"{repeated.count:,} keys name more than one row." if repeated.count else None,
        metadata=metadata,
    )


def where(counts: Mapping[tuple[str, date], int]) -> dg.TableMetadataValue:
    """How many by site and day, the most first. Never a key: it may be a person's, and would outlive an erasure."""
    worst = sorted(counts.items(), key=lambda item: -item[1])[:_SHOWN]
    return dg.MetadataValue.table(
        [dg.TableRecord({"site": site, "day": day.isoformat(), "count": count}) for (site, day), count in worst],
        dg.TableSchema([dg.TableColumn("site"), dg.TableColumn("day"), dg.TableColumn("count", "int")]),
    )


def _query(uri: str, spec: TableSpec, days: Iterable[date]) -> dg.MarkdownMetadataValue:
    """What shows the rows to whoever may see them."""
    listed = ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days)[:_SHOWN])
    return dg.MetadataValue.md(
        f"In DuckDB:\n```sql\nSELECT {', '.join(spec.key)}, count(*) AS rows FROM delta_scan('{uri}')\n"
        f"WHERE {spec.partition_by} IN ({listed}) GROUP BY ALL HAVING rows > 1;\n```"
    )
