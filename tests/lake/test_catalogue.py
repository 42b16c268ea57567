"""What the catalogue of reports promises to readers."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake.catalogue import Catalogue
from lake.errors import TableMissing
from lake.location import Lake
from lake.report_table import ReportTable
from tests.lake.page_report import MONDAY, SPEC, TUESDAY, hits
from tests.written_day import write_day


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def table(lake: Lake) -> ReportTable:
    table = ReportTable(lake, SPEC)
    table.declare()
    write_day(table, MONDAY, hits(MONDAY, 1), 1)
    return table


def test_a_lake_without_tables_has_no_reports(lake: Lake) -> None:
    assert Catalogue(lake).entries() == []
    Path(lake.uri).mkdir()
    assert Catalogue(lake).entries() == []


def test_an_entry_says_what_the_definition_says(lake: Lake, table: ReportTable) -> None:
    (entry,) = Catalogue(lake).entries()
    assert (entry.name, entry.description, tuple(entry.key)) == (SPEC.name, SPEC.description, SPEC.key)
    said = [(column.name, column.dtype, column.meaning, column.unit, column.additive) for column in entry.columns]
    assert said == [
        (column.name, str(column.dtype), column.meaning, column.unit, column.additive) for column in SPEC.columns
    ]
    assert entry.version == table.read().number
    assert timedelta() <= datetime.now(UTC) - entry.refreshed_at < timedelta(minutes=1)


def test_tables_that_are_no_reports_and_other_folders_are_left_out(lake: Lake, table: ReportTable) -> None:
    ReportTable(lake, replace(SPEC, name="visits", partition_by="date", key=("date", "path"))).declare()
    (Path(lake.uri) / "notes").mkdir()
    (Path(lake.uri) / "file").write_text("")
    assert [entry.name for entry in Catalogue(lake).entries()] == ["hits"]
    with pytest.raises(TableMissing):
        Catalogue(lake).open("visits")


def test_a_table_of_single_rows_is_opened_as_such_and_is_still_no_report(lake: Lake, table: ReportTable) -> None:
    single = ReportTable(lake, replace(SPEC, name="visits", single_rows=True))
    single.declare()
    catalogue = Catalogue(lake)
    before = catalogue.open_rows("visits")
    write_day(single, MONDAY, hits(MONDAY, 5))
    assert (before.scan.collect().height, catalogue.open_rows("visits").scan.collect().height) == (0, 1)
    assert [entry.name for entry in catalogue.entries()] == ["hits"]
    for asked, name in ((catalogue.open, "visits"), (catalogue.open_rows, "hits"), (catalogue.open_rows, "none")):
        with pytest.raises(TableMissing):
            asked(name)


def test_a_version_that_the_log_no_longer_reaches_is_opened_anew(lake: Lake, table: ReportTable) -> None:
    catalogue = Catalogue(lake)
    catalogue.entries()
    write_day(table, MONDAY, hits(MONDAY, 7), 2)
    DeltaTable(lake.table_uri("hits")).create_checkpoint()
    log = Path(lake.table_uri("hits")) / "_delta_log"
    for commit in log.glob("*.json"):
        commit.unlink()
    assert catalogue.open("hits").scan.collect()["hits"].to_list() == [7]


@pytest.mark.parametrize(
    "name", ["nothing", "", "../hits", "hits/", "hits/../hits", "Hits", "hits\n", "/etc", "a" * 65]
)
def test_a_name_that_is_no_report_is_missing(lake: Lake, table: ReportTable, name: str) -> None:
    with pytest.raises(TableMissing):
        Catalogue(lake).open(name)


def test_an_open_report_is_one_version_and_the_next_one_is_new(lake: Lake, table: ReportTable) -> None:
    catalogue = Catalogue(lake)
    before = catalogue.open("hits")
    write_day(table, MONDAY, hits(MONDAY, 2), 2)
    write_day(table, TUESDAY, hits(TUESDAY, 3), 1)
    after = catalogue.open("hits")
    assert before.scan.collect()["hits"].to_list() == [1]
    assert after.scan.sort("date").collect()["hits"].to_list() == [2, 3]
    assert after.entry.version > before.entry.version
    assert after.entry.refreshed_at >= before.entry.refreshed_at


def test_what_was_just_looked_at_is_looked_at_again_after_a_while(lake: Lake, table: ReportTable) -> None:
    seconds = [0.0]
    catalogue = Catalogue(lake, holds=0.5, clock=lambda: seconds[0])
    before = catalogue.open("hits").entry.version
    write_day(table, MONDAY, hits(MONDAY, 2), 2)
    seconds[0] = 0.4
    assert catalogue.open("hits").entry.version == before
    seconds[0] = 0.5
    assert catalogue.open("hits").entry.version == before + 1


def test_upkeep_of_a_table_is_no_refresh(lake: Lake, table: ReportTable) -> None:
    catalogue = Catalogue(lake)
    before = catalogue.open("hits").entry
    DeltaTable(lake.table_uri("hits")).alter.set_table_properties({"delta.checkpointInterval": "30"})
    after = catalogue.open("hits").entry
    assert (after.refreshed_at, after.version) == (before.refreshed_at, before.version + 1)


def test_a_version_whose_log_is_gone_by_now_is_not_taken_for_the_latest(lake: Lake, table: ReportTable) -> None:
    catalogue = Catalogue(lake)
    catalogue.entries()
    for number in range(30):
        write_day(table, MONDAY, hits(MONDAY, number), number + 2)
    log = Path(lake.table_uri("hits")) / "_delta_log"
    checkpointed = json.loads((log / "_last_checkpoint").read_text())["version"]
    for commit in sorted(log.glob("*.json"))[: checkpointed + 1]:
        commit.unlink()
    assert catalogue.open("hits").scan.collect()["hits"].to_list() == [29]


def test_threads_may_share_a_catalogue(lake: Lake, table: ReportTable) -> None:
    catalogue = Catalogue(lake)
    failures: list[Exception] = []
    written = threading.Event()

    def read() -> None:
        try:
            while not written.is_set():
                report = catalogue.open("hits")
                assert report.scan.collect().height == 1
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(10):
        write_day(table, MONDAY, hits(MONDAY, number), number + 2)
    written.set()
    for reader in readers:
        reader.join()
    assert failures == []
