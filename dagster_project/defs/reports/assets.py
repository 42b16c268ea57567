"""Sessions and reports: one asset for each, from this project and from packages that bring their own."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.settings import DagsterSettings
from dagster_project.spread import spread_of_days, spread_of_windows
from dagster_project.table_asset import table_asset
from lake.table_metadata import is_report
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import load_reports
from pipelines.reports.report import Report
from pipelines.reports.window import DAY


def report_asset(report: Report, days_per_run: int | None) -> dg.AssetsDefinition:
    """A report as an asset below its inputs."""

    def build_report(lake: LakeResource, days: Sequence[date], anew: bool) -> Mapping[str, int]:
        return {"partitions built": len(build(lake.lake, report, days, anew, lake.sites()))}

    group = "reports" if is_report(report.spec) else "clean"
    spread = spread_of_days(days_per_run) if report.window == DAY else spread_of_windows(days_per_run)
    return table_asset(
        report.spec, group=group, deps=report.tables, build=build_report, spread=spread, start=report.window.start
    )


@dg.definitions
def reports() -> dg.Definitions:
    """An asset per report."""
    days_per_run = DagsterSettings().backfill_days
    return dg.Definitions(assets=[report_asset(report, days_per_run) for report in load_reports()])
