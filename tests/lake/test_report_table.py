"""What a table of days promises to those who build it and those who read it."""

import threading
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from lake.errors import TableConflict, TableDiffers
from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_spec import Column
from lake.table_version import DEFINITION, INPUTS, Origin
from tests.lake.page_report import MONDAY, SPEC, TUESDAY, hits
from tests.written_day import write_day


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def table(lake: Lake) -> ReportTable:
    table = ReportTable(lake, SPEC)
    table.declare()
    return table


def counts(table: ReportTable, *days: date) -> list[int]:
    return table.read().scan(days or None).collect()["hits"].sort().to_list()


def test_a_table_that_was_never_built_has_columns_and_no_rows(lake: Lake) -> None:
    never = ReportTable(lake, SPEC).read()
    assert never.scan().collect_schema() == SPEC.schema
    assert (never.scan().collect().height, never.number, never.days, never.revision(MONDAY)) == (0, -1, frozenset(), 0)
    assert not (Path(lake.uri) / SPEC.name).exists()


def test_a_day_is_replaced_whole_and_others_are_left_alone(table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1, 2, 3))
    write_day(table, TUESDAY, hits(TUESDAY, 7))
    write_day(table, MONDAY, hits(MONDAY, 5))
    assert counts(table) == [5, 7]
    assert_frame_equal(table.read().scan([MONDAY]).collect(), hits(MONDAY, 5))
    assert (table.read().revision(MONDAY), table.read().revision(TUESDAY)) == (2, 1)


def test_several_days_are_replaced_in_one_commit(table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1))
    seen = table.read()
    table.replace(seen, {MONDAY: Origin(7, 1), TUESDAY: Origin(8, 1)}, hits(TUESDAY, 4))
    after = table.read()
    assert counts(table) == [4]
    assert after.number == seen.number + 1
    assert after.recorded(INPUTS) == {MONDAY: 7, TUESDAY: 8}
    assert after.revisions == {MONDAY: 2, TUESDAY: 1}


def test_a_day_without_rows_is_empty_and_keeps_its_revision(table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1))
    write_day(table, MONDAY, hits(MONDAY))
    read = table.read()
    assert (read.scan().collect().height, read.days, read.revision(MONDAY)) == (0, frozenset(), 2)


def test_what_a_day_was_built_from_is_kept_to_the_last_bit(table: ReportTable) -> None:
    largest = 2**63 - 1
    write_day(table, MONDAY, hits(MONDAY, 1), largest)
    DeltaTable(table.read().handle.table_uri).create_checkpoint()  # type: ignore[union-attr]  # it was written
    read = table.read()
    assert (read.recorded(INPUTS), read.recorded(DEFINITION)) == ({MONDAY: largest}, {MONDAY: largest})


def test_whoever_saw_the_day_before_another_wrote_it_does_not_replace_it(table: ReportTable) -> None:
    seen = table.read()
    write_day(table, MONDAY, hits(MONDAY, 2))
    with pytest.raises(TableConflict):
        table.replace(seen, {MONDAY: Origin(1, 1)}, hits(MONDAY, 1))
    table.replace(seen, {TUESDAY: Origin(1, 1)}, hits(TUESDAY, 3))
    with pytest.raises(TableConflict):
        table.replace(seen, {TUESDAY: Origin(1, 1)}, hits(TUESDAY, 4))
    assert counts(table) == [2, 3]


def test_of_two_writers_of_all_days_one_wins_each_and_no_rows_are_twice(lake: Lake, table: ReportTable) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(4)]
    seen = table.read()
    lost = []

    def write(number: int) -> None:
        for day in days:
            try:
                ReportTable(lake, SPEC).replace(seen, {day: Origin(number, 1)}, hits(day, number))
            except TableConflict:
                lost.append(day)

    writers = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(lost) == days
    assert len(counts(table)) == 4
    assert [table.read().revision(day) for day in days] == [1, 1, 1, 1]


def test_a_version_stays_as_it_was_when_it_was_opened(table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1), 1)
    before = table.read()
    rows = before.scan()
    write_day(table, MONDAY, hits(MONDAY, 2), 2)
    assert rows.collect()["hits"].to_list() == [1]
    assert before.revision(MONDAY) == 1


def test_only_the_files_of_the_asked_days_are_opened(lake: Lake, table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1), 1)
    write_day(table, TUESDAY, hits(TUESDAY, 2), 1)
    for file in Path(lake.table_uri(SPEC.name)).glob(f"date={MONDAY}/*.parquet"):
        file.unlink()
    assert counts(table, TUESDAY) == [2]


def test_a_value_of_another_day_is_refused_and_nothing_is_written(table: ReportTable) -> None:
    with pytest.raises(Exception, match="not among the days to replace"):
        write_day(table, MONDAY, hits(TUESDAY, 1), 1)
    assert counts(table) == []


def test_compaction_and_checkpoints_leave_the_revisions_alone(lake: Lake, table: ReportTable) -> None:
    for number in range(60):
        write_day(table, MONDAY + timedelta(days=number % 5), hits(MONDAY + timedelta(days=number % 5), number), number)
    handle = DeltaTable(lake.table_uri(SPEC.name))
    handle.optimize.compact()
    handle.create_checkpoint()
    handle.cleanup_metadata()
    read = table.read()
    assert [read.recorded(INPUTS)[MONDAY + timedelta(days=number)] for number in range(5)] == [55, 56, 57, 58, 59]
    assert [read.revision(day) for day in sorted(read.days)] == [
        handle.transaction_version(f"hits/{day}") for day in sorted(read.days)
    ]


def test_the_table_says_itself_what_it_means(lake: Lake, table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1), 1)
    handle = DeltaTable(lake.table_uri(SPEC.name))
    said = {field.name: field.metadata for field in handle.schema().fields}
    assert (handle.metadata().name, handle.metadata().description) == ("hits", "Hits of each page, by site and day.")
    assert said["seconds"]["comment"] == "how long the answers took"
    assert said["seconds"]["logektor.unit"] == "seconds"
    assert (said["seconds"]["logektor.additive"], said["path"]["logektor.additive"]) == ("true", "false")


def test_a_changed_definition_reaches_the_table_and_an_unchanged_one_writes_nothing(
    lake: Lake, table: ReportTable
) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1), 1)
    columns = (
        *SPEC.columns[:3],
        replace(SPEC.columns[3], meaning="how often it was loaded", additive=False),
        Column("bytes", pl.Int64(), "how much was sent", "bytes"),
    )
    changed = ReportTable(lake, replace(SPEC, description="Loads.", columns=columns))
    changed.declare()
    after = changed.read().number
    changed.declare()
    assert changed.read().number == after
    write_day(changed, TUESDAY, hits(TUESDAY, 2).drop("seconds").with_columns(bytes=pl.lit(9, pl.Int64)), 1)
    assert changed.read().scan().sort("date").collect()["bytes"].to_list() == [None, 9]
    handle = DeltaTable(lake.table_uri(SPEC.name))
    said = {field.name: field.metadata for field in handle.schema().fields}
    assert handle.metadata().description == "Loads."
    assert (said["hits"]["comment"], said["hits"]["logektor.additive"]) == ("how often it was loaded", "false")
    assert said["bytes"]["logektor.unit"] == "bytes"


def test_a_column_of_another_type_is_refused_with_a_sentence(lake: Lake, table: ReportTable) -> None:
    columns = (*SPEC.columns[:3], Column("hits", pl.String(), "a text"), SPEC.columns[4])
    with pytest.raises(TableDiffers, match="column hits"):
        ReportTable(lake, replace(SPEC, columns=columns)).declare()


def test_no_statistics_of_texts_but_the_site_are_kept(lake: Lake, table: ReportTable) -> None:
    write_day(table, MONDAY, hits(MONDAY, 1), 1)
    log = "".join(file.read_text() for file in Path(lake.table_uri(SPEC.name)).glob("_delta_log/*.json"))
    assert "a.example" in log
    assert "/0" not in log
