"""What the plain Parquet files promise to people without a reader of Delta."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lake.location import Lake
from lake.parquet_files import update_parquet_files
from lake.report_table import ReportTable
from tests.lake.page_report import MONDAY, SPEC, TUESDAY, hits
from tests.written_day import write_day

OCTOBER = date(2026, 10, 31)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def table(lake: Lake) -> ReportTable:
    table = ReportTable(lake, SPEC)
    table.declare()
    for day, count in ((OCTOBER, 1), (MONDAY, 2), (TUESDAY, 3)):
        write_day(table, day, hits(day, count), 1)
    return table


def test_each_month_is_a_file_with_all_its_days(lake: Lake, table: ReportTable, tmp_path: Path) -> None:
    update_parquet_files(lake, SPEC)
    folder = tmp_path / "reports_parquet" / "hits"
    assert sorted(file.name for file in folder.glob("*.parquet")) == ["2026-10.parquet", "2026-11.parquet"]
    expected = pl.concat([hits(MONDAY, 2), hits(TUESDAY, 3)])
    assert_frame_equal(pl.read_parquet(folder / "2026-11.parquet"), expected)


def test_the_glob_of_the_folder_is_the_whole_report(lake: Lake, table: ReportTable, tmp_path: Path) -> None:
    update_parquet_files(lake, SPEC)
    write_day(table, MONDAY, hits(MONDAY, 7), 2)
    update_parquet_files(lake, SPEC)
    files = tmp_path / "reports_parquet" / "hits" / "*.parquet"
    with duckdb.connect() as connection:
        total = connection.execute("SELECT sum(hits) FROM read_parquet(?)", [str(files)]).fetchone()
    assert total == (1 + 7 + 3,)


def test_a_month_without_rows_has_no_file(lake: Lake, table: ReportTable, tmp_path: Path) -> None:
    update_parquet_files(lake, SPEC)
    write_day(table, OCTOBER, hits(OCTOBER), 2)
    update_parquet_files(lake, SPEC)
    assert [file.name for file in (tmp_path / "reports_parquet" / "hits").glob("*.parquet")] == ["2026-11.parquet"]


def test_a_reader_keeps_the_file_it_has_opened(lake: Lake, table: ReportTable, tmp_path: Path) -> None:
    update_parquet_files(lake, SPEC)
    with (tmp_path / "reports_parquet" / "hits" / "2026-10.parquet").open("rb") as opened:
        write_day(table, OCTOBER, hits(OCTOBER, 9), 2)
        update_parquet_files(lake, SPEC)
        assert pl.read_parquet(opened)["hits"].to_list() == [1]


def test_only_changed_months_are_written(lake: Lake, table: ReportTable) -> None:
    assert len(update_parquet_files(lake, SPEC)) == 2
    assert update_parquet_files(lake, SPEC) == []
    write_day(table, OCTOBER, hits(OCTOBER, 9), 2)
    assert update_parquet_files(lake, SPEC) == ["2026-10"]


def test_a_new_definition_writes_all_months(lake: Lake, table: ReportTable) -> None:
    update_parquet_files(lake, SPEC)
    assert len(update_parquet_files(lake, replace(SPEC, columns=SPEC.columns[:4]))) == 2
