"""A report as plain Parquet files, one per month, for readers that know no Delta: `reports_parquet` beside the lake.

Each file is replaced in one step, so a reader sees the old one or the new one. No other name in the folder ends in
`.parquet`, so `*.parquet` is the whole report.
"""

import fcntl
from collections.abc import Collection
from datetime import date
from pathlib import Path

from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_spec import TableSpec
from lake.table_version import TableVersion


def write_parquet_files(lake: Lake, spec: TableSpec, days: Collection[date]) -> None:
    """Writes anew the files of the months that these days are in; a month without rows has no file.

    Does nothing where the lake is no local folder. Raises LakeAway.
    """
    folder = lake.parquet_folder(spec.name)
    months = sorted({day.replace(day=1) for day in days})
    if folder is None or not months:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # The table is read while the lock is held: of two writers, the later one writes the later rows.
        fcntl.flock(lock, fcntl.LOCK_EX)
        table = ReportTable(lake, spec).read()
        for month in months:
            _write_month(folder, table, [day for day in table.days if day.replace(day=1) == month], month)


def _write_month(folder: Path, table: TableVersion, days: Collection[date], month: date) -> None:
    file = folder / f"{month:%Y-%m}.parquet"
    if not days:
        file.unlink(missing_ok=True)
        return
    new = file.with_name(f".{file.name}.new")
    table.scan(days).sort(table.spec.partition_by, table.spec.key).sink_parquet(new, compression="zstd")
    new.replace(file)
