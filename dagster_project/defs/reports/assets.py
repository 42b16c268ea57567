"""Sessions and reports: one asset for each, from this project and from packages that bring their own."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.table_asset import table_asset
from lake.table_metadata import is_report
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import load_reports
from pipelines.reports.report import Report


def report_asset(report: Report) -> dg.AssetsDefinition:
    """A report as an asset below its inputs."""

    def build_report(lake: LakeResource, days: Sequence[date], anew: bool) -> Mapping[str, int]:
        return {"partitions built": len(build(lake.lake, report, days, anew, lake.sites()))}

    group = "reports" if is_report(report.spec) else "clean"
    return table_asset(report.spec, group=group, deps=report.tables, build=build_report, start=report.window.start)


@dg.definitions
def reports() -> dg.Definitions:
    """An asset per report."""
    return dg.Definitions(assets=[report_asset(report) for report in load_reports()])
