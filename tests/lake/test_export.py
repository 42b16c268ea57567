"""An export is what the table had, as files that any reader takes."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.export import export_days
from lake.location import Lake
from lake.report_table import ReportTable
from pipelines.reports.traffic import TRAFFIC
from tests.reports.rows import DAY, table
from tests.written_day import write_day

DAYS = [DAY + timedelta(days=number) for number in range(3)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    report = ReportTable(lake, TRAFFIC.spec)
    report.declare()
    for number, day in enumerate(DAYS):
        write_day(report, day, table(TRAFFIC, {"date": day, "events": number}), 1)
    return lake


def exported(folder: Path) -> dict[str, int]:
    return {file.stem: pl.read_parquet(file)["events"].item() for file in sorted(folder.glob("traffic/*.parquet"))}


def test_each_day_of_the_range_is_a_file_with_its_rows(lake: Lake, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    files = export_days(lake, TRAFFIC.spec, DAYS[1], date(2030, 1, 1), tmp_path, lambda *step: told.append(step))
    assert [file.name for file in files] == ["2026-11-21.parquet", "2026-11-22.parquet"]
    assert told == [(0, 2, "Writing 2026-11-21"), (1, 2, "Writing 2026-11-22"), (2, 2, "Done")]
    stored = ReportTable(lake, TRAFFIC.spec).read().scan(DAYS[1:]).collect()
    assert_frame_equal(pl.read_parquet(tmp_path / "traffic" / "*.parquet"), stored, check_row_order=False)
    assert not list((tmp_path / "traffic").glob(".*"))


def test_an_export_again_follows_the_table(lake: Lake, tmp_path: Path) -> None:
    export_days(lake, TRAFFIC.spec, DAYS[0], DAYS[2], tmp_path)
    report = ReportTable(lake, TRAFFIC.spec)
    write_day(report, DAYS[1], table(TRAFFIC, {"date": DAYS[1], "events": 9}), 2)
    write_day(report, DAYS[2], table(TRAFFIC).head(0), 2)
    export_days(lake, TRAFFIC.spec, DAYS[1], DAYS[2], tmp_path)
    assert exported(tmp_path) == {"2026-11-20": 0, "2026-11-21": 9}
