"""Days of a table as plain Parquet files, for whoever is to have a copy of them."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from lake.errors import LakeAway
from lake.location import Lake
from lake.table_spec import TableSpec
from lake.table_version import open_version

Tell = Callable[[int, int, str], None]
"""Told before each step: how many are done, how many there are, and what comes."""


def export_days(
    lake: Lake,
    spec: TableSpec,
    first: date,
    last: date,
    folder: Path,
    tell: Tell = lambda done, total, what: None,
) -> list[Path]:
    """Writes <folder>/<table>/<day>.parquet for each day that has rows, all of one version; answers the files.

    A file is replaced in one step. Of a day without rows, the file of an earlier export is deleted. Raises LakeAway.
    """
    table = open_version(lake, spec)
    days = sorted(day for day in table.days if first <= day <= last)
    target = folder / spec.name
    target.mkdir(parents=True, exist_ok=True)
    for file in target.glob("????-??-??.parquet"):
        if first.isoformat() <= file.stem <= last.isoformat() and date.fromisoformat(file.stem) not in days:
            file.unlink()
    files = []
    for number, day in enumerate(days):
        tell(number, len(days), f"Writing {day}")
        new = target / f".{day}.new"
        try:
            table.scan([day]).sink_parquet(new, compression="zstd")
        except OSError as error:
            raise LakeAway(f"{spec.name} of {day} could not be written to {new}: {error}") from error
        files.append(new.replace(target / f"{day}.parquet"))
    tell(len(days), len(days), "Done")
    return files
