"""Compaction and vacuum keep tables at few files and change no row, also while they are written."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import lake.maintenance
from lake.audit import audit
from lake.errors import FilesMissing, LandingConflict, RowsChanged
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import Compaction, Vacuum, compact, vacuum
from lake.raw import open_landed, read_snapshot
from lake.raw_schema import TABLE
from tests.lake.landing import NOON, P0, land


@pytest.fixture
def the_lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def files(lake: Lake) -> int:
    table = open_landed(lake)
    assert table is not None
    return len(table.file_uris())


@contextmanager
def landing(lake: Lake) -> Iterator[list[int]]:
    """Lands batch after batch from another thread; the list grows by the offsets where they end."""
    ends: list[int] = []
    stopping = threading.Event()

    def run() -> None:
        writer = DeltaLandingTable(lake)
        while not stopping.is_set():
            first = writer.landed([P0]).get(P0, 0)
            land(writer, first)
            ends.append(first + 10)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ends
    finally:
        stopping.set()
        thread.join()


def test_small_files_become_one_in_each_partition_and_all_rows_stay(the_lake: Lake) -> None:
    writer = DeltaLandingTable(the_lake)
    for number in range(60):
        land(writer, number * 10, NOON - timedelta(days=number % 2))
    result = compact(the_lake, TABLE, min_files=10)
    assert result == Compaction(TABLE, files_before=120, files_after=4, rows=600, conflict=False)
    assert files(the_lake) == 4
    assert audit(the_lake).exact


def test_what_is_compact_is_left_alone(the_lake: Lake) -> None:
    writer = DeltaLandingTable(the_lake)
    for number in range(20):
        land(writer, number * 10)
    compact(the_lake, TABLE, min_files=10)
    table = open_landed(the_lake)
    assert table is not None
    version = table.version()
    for number in range(20, 28):
        land(writer, number * 10)
    assert compact(the_lake, TABLE, min_files=10) == Compaction(TABLE, 18, 18, 280, conflict=False)
    table = open_landed(the_lake)
    assert table is not None
    assert table.version() == version + 8


def test_a_table_that_is_not_there_needs_nothing(the_lake: Lake) -> None:
    assert compact(the_lake, "events") == Compaction("events", 0, 0, 0, conflict=False)


def test_progress_and_the_fence_outlive_a_compaction(the_lake: Lake) -> None:
    writer, zombie = DeltaLandingTable(the_lake), DeltaLandingTable(the_lake)
    for number in range(20):
        land(writer, number * 10)
    assert zombie.landed([P0]) == {P0: 200}
    land(writer, 200)
    compact(the_lake, TABLE, min_files=10)
    with pytest.raises(LandingConflict):
        land(zombie, 200)
    # The writer's own handle is from before the compaction.
    land(writer, 210)
    snapshot = read_snapshot(the_lake)
    assert snapshot is not None
    assert (snapshot.first_offsets, snapshot.next_offsets) == ({P0: 0}, {P0: 220})
    assert audit(the_lake).exact


def test_compaction_under_load_keeps_the_files_few_and_every_record_once(the_lake: Lake) -> None:
    with landing(the_lake) as ends:
        rounds = 0
        while len(ends) < 100:
            if len(ends) >= 20 * (rounds + 1):
                rounds += 1
                assert not compact(the_lake, TABLE, min_files=10).conflict
    assert rounds >= 4
    assert files(the_lake) < 100
    result = audit(the_lake)
    assert result.exact
    assert result.partitions[0].next_offset == ends[-1]


def test_any_table_can_be_compacted(the_lake: Lake) -> None:
    for number in range(12):
        write_deltalake(the_lake.table_uri("plain"), pa.table({"number": [number]}), mode="append")
    assert compact(the_lake, "plain", min_files=10) == Compaction("plain", 12, 1, 12, conflict=False)


def test_a_conflict_gives_up_until_the_next_time(the_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = DeltaLandingTable(the_lake)
    for number in range(20):
        land(writer, number * 10)
    crowded = lake.maintenance._crowded

    def crowded_and_then_changed(
        table: DeltaTable, min_files: int, max_file_bytes: int
    ) -> Iterator[list[tuple[str, str, str]]]:
        yield from crowded(table, min_files, max_file_bytes)
        other = open_landed(the_lake)
        assert other is not None
        other.optimize.compact()

    monkeypatch.setattr(lake.maintenance, "_crowded", crowded_and_then_changed)
    result = compact(the_lake, TABLE, min_files=10)
    assert result == Compaction(TABLE, files_before=40, files_after=2, rows=200, conflict=True)
    assert audit(the_lake).exact


def test_a_compaction_that_changes_rows_is_never_silent(the_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = DeltaLandingTable(the_lake)
    for number in range(20):
        land(writer, number * 10)
    counts = iter([200, 400])
    monkeypatch.setattr(lake.maintenance, "_rows_at", lambda *_: next(counts))
    with pytest.raises(RowsChanged, match=r"version \d+ changed 200 rows to 400"):
        compact(the_lake, TABLE, min_files=10)


def age(lake: Lake, hours: float) -> None:
    """Makes all files of `landed` older; tombstones in its log keep their time."""
    for file in Path(lake.table_uri(TABLE)).rglob("*.parquet"):
        then = file.stat().st_mtime - hours * 3600
        os.utime(file, (then, then))


def files_in_folder(lake: Lake) -> int:
    return len([*Path(lake.table_uri(TABLE)).glob("kind=*/**/*.parquet")])


def test_replaced_files_stay_for_readers_of_older_versions_and_then_go(the_lake: Lake) -> None:
    writer = DeltaLandingTable(the_lake)
    for number in range(20):
        land(writer, number * 10)
    old = open_landed(the_lake)
    assert old is not None
    compact(the_lake, TABLE, min_files=10)
    # However old they are: they were replaced just now.
    age(the_lake, 100)
    assert vacuum(the_lake, TABLE) == Vacuum(TABLE, 0, 200)
    assert old.to_pyarrow_table().num_rows == 200
    old.alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 seconds"})
    assert vacuum(the_lake, TABLE) == Vacuum(TABLE, 40, 200)
    assert files_in_folder(the_lake) == files(the_lake) == 2
    assert audit(the_lake).exact


def test_replaced_files_go_also_where_the_log_names_them_no_more(the_lake: Lake) -> None:
    writer = DeltaLandingTable(the_lake)
    for number in range(20):
        land(writer, number * 10)
    compact(the_lake, TABLE, min_files=10)
    table = open_landed(the_lake)
    assert table is not None
    name = "delta.deletedFileRetentionDuration"
    kept = table.metadata().configuration[name]
    table.alter.set_table_properties({name: "interval 0 seconds"})
    table.create_checkpoint()
    table.alter.set_table_properties({name: kept})
    age(the_lake, 4)
    assert vacuum(the_lake, TABLE).files_deleted == 40


def test_files_that_no_commit_names_go_when_their_commit_can_not_come_any_more(the_lake: Lake) -> None:
    writer = DeltaLandingTable(the_lake)
    land(writer, 0)
    table = open_landed(the_lake)
    assert table is not None
    some = Path(table.file_uris()[0])
    shutil.copyfile(some, some.with_name("part-orphan.parquet"))
    assert vacuum(the_lake, TABLE) == Vacuum(TABLE, 0, 10)
    age(the_lake, 2)
    assert vacuum(the_lake, TABLE) == Vacuum(TABLE, 0, 10)
    age(the_lake, 2)
    assert vacuum(the_lake, TABLE) == Vacuum(TABLE, 1, 10)
    assert audit(the_lake).exact


def test_progress_and_the_fence_outlive_a_vacuum_and_its_versions(the_lake: Lake) -> None:
    writer = DeltaLandingTable(the_lake)
    land(writer, 0)
    table = open_landed(the_lake)
    assert table is not None
    table.alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 seconds"})
    assert writer.landed([P0]) == {P0: 10}
    for number in range(1, 21):
        land(writer, number * 10)
    compact(the_lake, TABLE, min_files=10)
    assert vacuum(the_lake, TABLE).files_deleted == 42
    land(writer, 210)
    assert audit(the_lake).exact
    snapshot = read_snapshot(the_lake)
    assert snapshot is not None
    assert (snapshot.first_offsets, snapshot.next_offsets) == ({P0: 0}, {P0: 220})


def test_a_vacuum_under_load_costs_no_record(the_lake: Lake) -> None:
    with landing(the_lake) as ends:
        while len(ends) < 60:
            compact(the_lake, TABLE, min_files=10)
            vacuum(the_lake, TABLE)
    assert audit(the_lake).exact


def test_a_vacuum_that_deletes_what_is_needed_is_never_silent(the_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land(DeltaLandingTable(the_lake), 0)
    table = open_landed(the_lake)
    assert table is not None
    needed = pa.table(table.get_add_actions())["path"].to_pylist()
    monkeypatch.setattr(DeltaTable, "vacuum", lambda *_, **__: needed[:1])
    with pytest.raises(FilesMissing, match="1 files that it needs"):
        vacuum(the_lake, TABLE)


def test_a_table_that_is_not_there_needs_no_vacuum(the_lake: Lake) -> None:
    assert vacuum(the_lake, "events") == Vacuum("events", 0, 0)
