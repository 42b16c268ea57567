"""What readers see of the table `landed`."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from lake.location import Lake
from lake.progress import app_id
from lake.raw import LANDING, read_landed_since, read_snapshot, scan_dead_letters, scan_raw_events
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED, PARTITION_BY, TABLE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENTS = ("cluster/events", 0)
OTHER = ("cluster/events", 1)


def land(lake: Lake, place: tuple[str, int], kinds: Iterable[str], first: int, at: datetime = NOON) -> None:
    """Appends one row per kind, from the offset `first` on, as the worker does."""
    rows = [
        {
            "kind": kind,
            "landed_date": at.date(),
            "stream_id": place[0],
            "kafka_partition": place[1],
            "kafka_offset": first + number,
            "landed_at": at,
        }
        for number, kind in enumerate(kinds)
    ]
    transaction = Transaction(app_id(LANDING, *place), first + len(rows))
    table = DeltaTable.create(
        lake.table_uri(TABLE),
        LANDED,
        mode="ignore",
        partition_by=list(PARTITION_BY),
        configuration={"delta.checkpointInterval": "5"},
    )
    write_deltalake(
        table,
        pa.Table.from_pylist(rows, schema=LANDED),
        mode="append",
        commit_properties=CommitProperties(app_transactions=[transaction]),
    )


def offsets(rows: pl.LazyFrame) -> list[tuple[int, int]]:
    return sorted(rows.select("kafka_partition", "kafka_offset").collect().iter_rows())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_a_lake_without_rows_has_the_columns_of_one_with_rows(lake: Lake) -> None:
    events, dead_letters = scan_raw_events(lake).collect(), scan_dead_letters(lake).collect()
    assert (events.height, dead_letters.height) == (0, 0)
    land(lake, EVENTS, [EVENT, DEAD_LETTER], 0)
    assert scan_raw_events(lake).collect_schema() == events.schema
    assert scan_dead_letters(lake).collect_schema() == dead_letters.schema


def test_each_kind_holds_its_own_rows(lake: Lake) -> None:
    land(lake, EVENTS, [EVENT, DEAD_LETTER, EVENT], 0)
    assert offsets(scan_raw_events(lake)) == [(0, 0), (0, 2)]
    assert offsets(scan_dead_letters(lake)) == [(0, 1)]


def test_nothing_landed_means_no_progress(lake: Lake) -> None:
    assert read_landed_since(lake, {}).next_progress == {}
    assert read_landed_since(lake, {}).rows.collect().height == 0


def test_what_was_read_is_not_read_again(lake: Lake) -> None:
    land(lake, EVENTS, [EVENT] * 3, 0)
    first = read_landed_since(lake, {})
    assert offsets(first.rows) == [(0, 0), (0, 1), (0, 2)]
    assert read_landed_since(lake, first.next_progress).rows.collect().height == 0
    land(lake, EVENTS, [DEAD_LETTER, EVENT], 3)
    land(lake, OTHER, [EVENT], 0)
    second = read_landed_since(lake, first.next_progress)
    assert offsets(second.rows) == [(0, 4), (1, 0)]
    assert second.next_progress == {EVENTS: 5, OTHER: 1}
    assert second.version > first.version


def test_where_all_rows_were_erased_before_they_were_read_there_is_nothing_new(lake: Lake) -> None:
    land(lake, EVENTS, [EVENT, EVENT], first=0)
    DeltaTable(lake.table_uri(TABLE)).delete()
    since = read_landed_since(lake, {})
    assert (since.rows.collect().height, since.next_progress) == (0, {EVENTS: 2})


def test_rows_landed_after_the_snapshot_are_not_in_it(lake: Lake) -> None:
    land(lake, EVENTS, [EVENT], 0)
    since = read_landed_since(lake, {})
    land(lake, EVENTS, [EVENT], 1)
    assert offsets(since.rows) == [(0, 0)]
    assert since.next_progress == {EVENTS: 1}


@pytest.mark.parametrize("age", [timedelta(minutes=1), timedelta(hours=2), timedelta(days=40), timedelta(days=-1)])
def test_a_slow_partition_or_a_wrong_clock_hides_no_row(lake: Lake, age: timedelta) -> None:
    land(lake, EVENTS, [EVENT] * 2, 0, NOON - timedelta(days=50))
    land(lake, OTHER, [EVENT] * 2, 0, NOON - age)
    land(lake, EVENTS, [EVENT] * 2, 2, NOON)
    assert offsets(read_landed_since(lake, {EVENTS: 2}).rows) == [(0, 2), (0, 3), (1, 0), (1, 1)]


def test_old_files_are_not_opened(lake: Lake, tmp_path: Path) -> None:
    land(lake, EVENTS, [EVENT], 0, NOON - timedelta(days=30))
    land(lake, EVENTS, [EVENT], 1, NOON)
    (old,) = (tmp_path / "lake" / TABLE).glob("kind=event/landed_date=2026-10-25/*.parquet")
    old.unlink()
    assert offsets(read_landed_since(lake, {EVENTS: 1}).rows) == [(0, 1)]


def test_progress_is_found_behind_checkpoints(lake: Lake) -> None:
    land(lake, OTHER, [EVENT], 0)
    for offset in range(12):
        land(lake, EVENTS, [EVENT], offset)
    assert (Path(lake.table_uri(TABLE)) / "_delta_log" / "_last_checkpoint").exists()
    snapshot = read_snapshot(lake)
    assert snapshot is not None
    assert snapshot.next_offsets == {EVENTS: 12, OTHER: 1}


def test_dates_are_dates(lake: Lake) -> None:
    land(lake, EVENTS, [EVENT], 0)
    assert scan_raw_events(lake).collect()["landed_date"].to_list() == [date(2026, 11, 24)]
