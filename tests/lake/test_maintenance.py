"""Compaction keeps tables at few files and changes no row, also while they are written."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import lake.maintenance
from lake.audit import audit
from lake.errors import LandingConflict, RowsChanged
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import Compaction, compact
from lake.raw import open_landed, read_snapshot
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED, TABLE

P0 = ("cluster/events", 0)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def the_lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def rows(kind: str, first: int, end: int, now: datetime = NOON) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "kind": kind,
                "landed_date": now.date(),
                "landed_at": now,
                "stream_id": P0[0],
                "kafka_partition": P0[1],
                "kafka_offset": offset,
            }
            for offset in range(first, end)
        ],
        schema=LANDED,
    )


def land(writer: DeltaLandingTable, first: int, now: datetime = NOON) -> None:
    """Nine events and a dead letter in one commit."""
    writer.append(
        rows(EVENT, first, first + 9, now), rows(DEAD_LETTER, first + 9, first + 10, now), {P0: first}, {P0: first + 10}
    )


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
