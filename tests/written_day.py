"""Writes a day of a table built from others, without anything it would be built from."""

from datetime import date

import polars as pl

from lake.report_table import ReportTable
from lake.table_version import Origin


def write_day(table: ReportTable, day: date, rows: pl.DataFrame, number: int = 1) -> None:
    """Replaces a day as if it were built from such a number of inputs."""
    table.replace(table.read(), {day: Origin(number, number)}, rows)
