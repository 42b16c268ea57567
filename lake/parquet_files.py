"""A report as plain Parquet files, one per month, for readers that know no Delta: `reports_parquet` beside the lake.

Each file is replaced in one step, so a reader sees the old one or the new one. No other name in the folder ends in
`.parquet`, so `*.parquet` is the whole report.
"""

import fcntl
import hashlib
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from pathlib import Path

import polars as pl

from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_spec import TableSpec
from lake.table_version import TableVersion

_WRITTEN_FROM = "logektor.written_from"
"""The file metadata that names the table's files it was written from."""


def update_parquet_files(lake: Lake, spec: TableSpec) -> list[Path]:
    """Writes the months anew that are not as the table has them; answers which. A month without rows has no file.

    Does nothing where the lake is no local folder. Raises LakeAway.
    """
    folder = lake.parquet_folder(spec.name)
    if folder is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # The table is read while the lock is held: of two writers, the later one writes the later rows.
        fcntl.flock(lock, fcntl.LOCK_EX)
        table = ReportTable(lake, spec).read()
        months = _months(table)
        for file in folder.glob("*.parquet"):
            if file.stem not in months:
                file.unlink()
        return [folder / f"{month}.parquet" for month in months if _update(folder, month, table, months[month])]


def _months(table: TableVersion) -> dict[str, list[date]]:
    """The days of each month such as 2026-11, both in order."""
    months = defaultdict(list)
    for day in sorted(table.days):
        months[f"{day:%Y-%m}"].append(day)
    return months


def _update(folder: Path, month: str, table: TableVersion, days: Collection[date]) -> bool:
    """Whether the month's file had to be written anew."""
    file = folder / f"{month}.parquet"
    # A crash may have come between table and file, so the file is asked, not whoever changed the table.
    paths = sorted(path for day in days for path in table.files(day))
    written_from = hashlib.sha256("\n".join([*table.spec.schema, *paths]).encode()).hexdigest()
    if file.exists() and pl.read_parquet_metadata(file).get(_WRITTEN_FROM) == written_from:
        return False
    new = folder / f".{month}.new"
    rows = table.scan(days).sort(table.spec.partition_by, *table.spec.key)
    rows.sink_parquet(new, compression="zstd", metadata={_WRITTEN_FROM: written_from})
    new.replace(file)
    return True
