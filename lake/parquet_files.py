"""A report as plain Parquet files, one per month, for readers that know no Delta: `reports_parquet` beside the lake.

Each file is replaced in one step, so a reader sees the old one or the new one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from datetime import date

import polars as pl
from deltalake.exceptions import DeltaError

from lake.errors import LakeAway
from lake.location import Lake
from lake.parquet_folder import ParquetFolder, parquet_folder
from lake.report_table import ReportTable
from lake.table_spec import TableSpec
from lake.table_version import TableVersion


def update_parquet_files(lake: Lake, spec: TableSpec) -> list[str]:
    """Writes the months anew that are not as the table has them; answers which. A month without rows has no file.

    Raises LakeAway.
    """
    table = ReportTable(lake, spec)
    written: set[str] = set()
    try:
        folder = parquet_folder(lake, spec.name)
        while True:
            # The table is read while others are kept out: of two writers, the later one writes the later rows.
            with folder.held() as alone:
                seen = table.read()
                changed = _bring_up(folder, seen)
            written |= changed
            # Where nobody can be kept out, the later one may have written the older rows. It looks again.
            if alone or not changed or table.read().number == seen.number:
                return sorted(written)
    except (DeltaError, pl.exceptions.PolarsError, OSError) as error:
        raise LakeAway(f"The Parquet files of {spec.name} could not be written: {error}") from error


def _bring_up(folder: ParquetFolder, table: TableVersion) -> set[str]:
    """Makes the files those of the table; answers the months whose file was replaced or deleted."""
    wanted, present = _months(table), folder.months()
    gone = present - wanted.keys()
    for month in gone:
        folder.delete(month)
    # A crash may have come between table and file, so the file is asked, not whoever changed the table.
    marks = {month: _written_from(table, days) for month, days in wanted.items()}
    stale = {month for month, mark in marks.items() if month not in present or folder.mark(month) != mark}
    for month in sorted(stale):
        rows = table.scan(wanted[month]).sort(table.spec.partition_by, *table.spec.key)
        folder.write(month, rows, marks[month])
    return gone | stale


def _months(table: TableVersion) -> dict[str, list[date]]:
    """The days of each month such as 2026-11, both in order."""
    months = defaultdict(list)
    for day in sorted(table.days):
        months[f"{day:%Y-%m}"].append(day)
    return months


def _written_from(table: TableVersion, days: Collection[date]) -> str:
    """What the rows of some days, as they are written, follow from."""
    paths = sorted(path for day in days for path in table.files(day))
    return hashlib.sha256("\n".join([*table.spec.schema, *paths]).encode()).hexdigest()
