"""A table of days as an asset: what Dagster shows of it follows from the table's definition."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from time import perf_counter
from urllib.parse import urlencode

import dagster as dg
import polars as pl
from pydantic import Field

from dagster_project.days import DAYS, days_of
from dagster_project.lake_resource import LakeResource
from dagster_project.lake_retry import retried
from dagster_project.sparkline import sparkline
from dagster_project.spread import Spread
from lake.table_metadata import is_report
from lake.table_spec import TableSpec
from lake.table_version import TableVersion, open_version

REFRESH_POOL = "refresh"
"""Lets one run at a time build tables."""

OWNERS = ["team:data"]

QUIET = timedelta(hours=24)
"""A table without anything new for so long is worth a look: a site may have lost its snippet."""

_SITES_SHOWN = 20
_DAYS_SHOWN = 30


class BuildConfig(dg.Config):
    """How a table's days are built."""

    rebuild: bool = Field(
        default=True,
        description="make the days anew in any case; otherwise only where there is something new",
    )


def table_asset(
    spec: TableSpec,
    *,
    group: str,
    deps: Sequence[str],
    build: Callable[[LakeResource, Sequence[date], bool], Mapping[str, int]],
    spread: Spread,
    start: Callable[[date], date] = lambda day: day,
) -> dg.AssetsDefinition:
    """An asset whose partitions are days. `build` takes lake, days and `rebuild` and answers numbers to be shown.

    `start` answers under which day the table holds a day: that of its week or month, in a table of such.
    """

    def asset(context: dg.AssetExecutionContext, config: BuildConfig, lake: LakeResource) -> dg.MaterializeResult[None]:
        days = days_of(context.partition_keys)
        started = perf_counter()
        with retried():
            numbers = build(lake, days, config.rebuild)
            seconds = perf_counter() - started
            shown = _of_each_day(open_version(lake.lake, spec), sorted({*map(start, days)}), lake.query_url)
        for day in days:
            context.add_asset_metadata(shown[start(day)], spec.name, partition_key=day.isoformat())
        return dg.MaterializeResult(metadata={**numbers, "seconds": round(seconds, 3)})

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)
        return dg.asset(
            name=spec.name,
            deps=[dg.AssetDep(dep, partition_mapping=spread.mapping) for dep in deps],
            description=spec.description,
            metadata={"dagster/table_name": spec.name, "dagster/column_schema": _column_schema(spec)},
            group_name=group,
            kinds={"deltalake", "polars"},
            owners=OWNERS,
            tags={"layer": group, "grain": "day"},
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=QUIET),
            partitions_def=DAYS,
            backfill_policy=spread.policy,
            pool=REFRESH_POOL,
        )(asset)


def _column_schema(spec: TableSpec) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                str(column.dtype),
                f"{column.meaning} ({column.unit})" if column.unit else column.meaning,
                dg.TableColumnConstraints(other=["may be added up"] if column.additive else []),
            )
            for column in spec.columns
        ],
        dg.TableConstraints([f"one row per {', '.join(spec.key)}"]),
    )


def _of_each_day(
    table: TableVersion, days: Sequence[date], query_url: str | None
) -> Mapping[date, dict[str, dg.MetadataValue]]:
    """How many rows each day has, what it was made of, and what may be added up, by site.

    Never a row of a table: it would outlive an erasure in the run history.
    """
    day_column = table.spec.partition_by
    additive = [column.name for column in table.spec.columns if column.additive]
    totals = table.scan(days).group_by(day_column, "site").agg(pl.len().alias("rows"), pl.col(additive).sum())
    largest = totals.sort("rows", "site", descending=[True, False]).collect(engine="streaming")
    shown: dict[date, dict[str, dg.MetadataValue]] = {}
    for day in days:
        sites = largest.filter(pl.col(day_column) == day).drop(day_column)
        shown[day] = {
            "dagster/partition_row_count": dg.MetadataValue.int(table.rows(day)),
            "source revision": dg.MetadataValue.int(table.revision(day)),
            "totals by site": _as_table(sites.head(_SITES_SHOWN)),
        }
        if query_url is not None and is_report(table.spec) and not sites.is_empty():
            shown[day]["read it"] = dg.MetadataValue.url(_address(query_url, table.spec, sites["site"][0], day))
    if days:
        latest = max(days)
        shown[latest][f"rows of {_DAYS_SHOWN} days"] = dg.MetadataValue.text(_rows_until(table, latest))
    return shown


def _address(query_url: str, spec: TableSpec, site: str, day: date) -> str:
    return f"{query_url}/api/reports/{spec.name}?{urlencode({'site': site, 'from': day, 'to': day})}"


def _rows_until(table: TableVersion, latest: date) -> str:
    """The days up to one as bars, and how many rows the largest has."""
    rows = [table.rows(latest - timedelta(days=back)) for back in reversed(range(_DAYS_SHOWN))]
    return f"{sparkline(rows)} up to {max(rows):,}"


def _as_table(rows: pl.DataFrame) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        records=[dg.TableRecord(row) for row in rows.to_dicts()],
        schema=dg.TableSchema([dg.TableColumn(name, str(dtype)) for name, dtype in rows.schema.items()]),
    )
