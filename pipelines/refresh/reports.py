"""A report's table: builds its days from the tables it is made of, where those have newer rows."""

from collections.abc import Collection, Iterable
from datetime import date

from lake.location import Lake
from lake.parquet_files import update_parquet_files
from lake.report_table import ReportTable
from lake.table_metadata import is_report
from lake.table_version import TableVersion, open_version
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from pipelines.reports.sessions import SESSIONS


def read_inputs(lake: Lake, report: Report) -> list[TableVersion]:
    """The tables that a report is built from, as they are now. Raises LakeAway."""
    specs = {spec.name: spec for spec in (EVENTS, SESSIONS.spec)}
    return [open_version(lake, specs[name]) for name in report.inputs]


def stale_days(table: TableVersion, inputs: Collection[TableVersion]) -> set[date]:
    """The days that the table's inputs have changed since the table was built from them."""
    written = {day for source in inputs for day in source.revisions}
    return {day for day in written if table.revision(day) < source_revision(inputs, day)}


def source_revision(inputs: Iterable[TableVersion], day: date) -> int:
    """The revision of `events` that all inputs have reached on a day."""
    return min(source.revision(day) for source in inputs)


def build(lake: Lake, report: Report, days: Collection[date], rebuild: bool = False) -> set[date]:
    """Builds a report's days, those that are not stale only with `rebuild`; answers which. Raises LakeError."""
    table = ReportTable(lake, report.spec)
    table.declare()
    inputs = read_inputs(lake, report)
    wanted = set(days) if rebuild else stale_days(table.read(), inputs) & set(days)
    for day in sorted(wanted):
        rows = report.build(*(source.scan([day]) for source in inputs)).collect(engine="streaming")
        table.replace(day, rows, source_revision(inputs, day))
    if is_report(report.spec):
        update_parquet_files(lake, report.spec)
    return wanted
