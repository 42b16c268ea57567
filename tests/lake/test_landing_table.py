"""What is Delta's own about the landing table; the contract is in tests/landing."""

import json
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lake.errors import LakeAway, LandingConflict
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import open_landed, read_snapshot
from lake.raw_schema import EVENT, LANDED, TABLE

P0, P1 = ("cluster/events", 0), ("cluster/events", 1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def opened(lake: Lake) -> DeltaTable:
    table = open_landed(lake)
    assert table is not None
    return table


def land(writer: DeltaLandingTable, place: tuple[str, int], first: int, end: int) -> None:
    rows = [
        {
            "kind": EVENT,
            "landed_date": NOW.date(),
            "landed_at": NOW,
            "stream_id": place[0],
            "kafka_partition": place[1],
            "kafka_offset": offset,
            "site": "example.com",
            "visitor_id": "visitor-of-flesh-and-blood",
            "user_id": "user-of-flesh-and-blood",
            "url": "https://example.com/page-of-flesh-and-blood",
        }
        for offset in range(first, end)
    ]
    writer.append(pa.Table.from_pylist(rows, schema=LANDED), LANDED.empty_table(), {place: first}, {place: end})


def create_and_land(uri: str, partition: int) -> None:
    land(DeltaLandingTable(Lake(uri)), ("cluster/events", partition), 0, 10)


def test_workers_that_create_the_table_at_once_all_go_on(lake: Lake) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=create_and_land, args=(lake.uri, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert opened(lake).count() == 40


def test_statistics_hold_what_prunes_and_nothing_of_a_person(lake: Lake, tmp_path: Path) -> None:
    land(DeltaLandingTable(lake), P0, 3, 10)
    statistics = pa.table(opened(lake).get_add_actions(flatten=True)).to_pylist()[0]
    assert (statistics["min.kafka_offset"], statistics["max.kafka_offset"]) == (3, 9)
    assert statistics["max.site"] == "example.com"
    for file in (tmp_path / "lake" / TABLE / "_delta_log").iterdir():
        assert b"flesh-and-blood" not in file.read_bytes()


def test_the_first_offset_is_kept(lake: Lake) -> None:
    writer = DeltaLandingTable(lake)
    land(writer, P0, 7, 10)
    land(writer, P0, 10, 12)
    snapshot = read_snapshot(lake)
    assert snapshot is not None
    assert (snapshot.first_offsets, snapshot.next_offsets) == ({P0: 7}, {P0: 12})


def test_progress_outlives_checkpoints_and_the_cleaning_of_the_log(lake: Lake, tmp_path: Path) -> None:
    writer = DeltaLandingTable(lake, reopen_after_commits=10)
    land(writer, P1, 0, 3)
    zombie = DeltaLandingTable(lake)
    assert zombie.landed([P1]) == {P1: 3}
    opened(lake).alter.set_table_properties({"delta.logRetentionDuration": "interval 0 seconds"})
    for first in range(0, 240, 2):
        try:
            land(writer, P0, first, first + 2)
        except LandingConflict:
            # The properties were changed between; the same batch is sent again.
            land(writer, P0, first, first + 2)
    log = tmp_path / "lake" / TABLE / "_delta_log"
    assert not (log / f"{1:020}.json").exists()
    assert opened(lake).count() == 243
    snapshot = read_snapshot(lake)
    assert snapshot is not None
    assert snapshot.next_offsets == {P0: 240, P1: 3}
    # A handle from before must not write into the gap, where nobody would ever see it.
    with pytest.raises(LakeAway):
        land(zombie, P1, 3, 6)
    assert zombie.landed([P0, P1]) == {P0: 240, P1: 3}
    land(zombie, P1, 3, 6)
    assert opened(lake).count() == 246


def test_whoever_opens_the_table_reads_a_checkpoint_and_few_commits(lake: Lake, tmp_path: Path) -> None:
    writer = DeltaLandingTable(lake, reopen_after_commits=10)
    for first in range(35):
        land(writer, P0, first, first + 1)
    hint = json.loads((tmp_path / "lake" / TABLE / "_delta_log" / "_last_checkpoint").read_text())
    assert (hint["version"], opened(lake).version()) == (30, 35)
    assert (hint["numOfAddFiles"], opened(lake).count()) == (30, 35)


@pytest.mark.parametrize(("commits", "seconds"), [(1, 1e9), (10**9, 0.0)])
def test_a_handle_opened_anew_keeps_the_fence(lake: Lake, commits: int, seconds: float) -> None:
    zombie = DeltaLandingTable(lake, reopen_after_commits=commits, reopen_after_seconds=seconds)
    land(zombie, P0, 0, 10)
    land(DeltaLandingTable(lake), P0, 10, 20)
    with pytest.raises(LandingConflict):
        land(zombie, P0, 10, 15)
    assert opened(lake).count() == 20


def test_a_lake_that_cannot_be_written_says_so(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the folder should be")
    with pytest.raises(LakeAway, match="landed could not be"):
        DeltaLandingTable(lake).landed([P0])


def test_after_a_failed_write_the_table_is_looked_at_afresh(lake: Lake, tmp_path: Path) -> None:
    writer = DeltaLandingTable(lake)
    land(writer, P0, 0, 10)
    folder = tmp_path / "lake" / TABLE / f"kind={EVENT}"
    folder.rename(tmp_path / "aside")
    folder.write_text("the folder of the partition is gone")
    with pytest.raises(LakeAway, match="could not be written"):
        land(writer, P0, 10, 20)
    folder.unlink()
    (tmp_path / "aside").rename(folder)
    assert writer.landed([P0]) == {P0: 10}
    land(writer, P0, 10, 20)
    assert opened(lake).count() == 20
