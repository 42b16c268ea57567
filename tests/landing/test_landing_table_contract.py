"""What every LandingTable must do, on the fake and on Delta."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from lake.errors import LandingConflict
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import open_landed, scan_landed
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED
from pipelines.landing.memory import MemoryLandingTable, MemoryTable
from pipelines.landing.ports import LandingTable

P0, P1, P2 = ("cluster/events", 0), ("cluster/events", 1), ("cluster/events", 2)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Landed:
    """A table with several writers, each with its own view; says what is stored."""

    def __init__(self, open_writer: Callable[[], LandingTable], rows: Callable[[], pl.DataFrame]) -> None:
        self.open_writer = open_writer
        self._rows = rows

    def offsets(self, kind: str | None = None) -> list[tuple[int, int]]:
        rows = self._rows()
        rows = rows if kind is None else rows.filter(pl.col("kind") == kind)
        return sorted(rows.select("kafka_partition", "kafka_offset").iter_rows())


@pytest.fixture(params=["memory", "delta"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Landed:
    if request.param == "memory":
        stored = MemoryTable()
        return Landed(lambda: MemoryLandingTable(stored), lambda: pl.DataFrame(stored.rows))
    lake = Lake(str(tmp_path))
    return Landed(lambda: DeltaLandingTable(lake), lambda: scan_landed(open_landed(lake)).collect())


def rows(kind: str, spans: Mapping[tuple[str, int], tuple[int, int]]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "kind": kind,
                "landed_date": NOW.date(),
                "landed_at": NOW,
                "stream_id": stream_id,
                "kafka_partition": partition,
                "kafka_offset": offset,
            }
            for (stream_id, partition), (first, end) in spans.items()
            for offset in range(first, end)
        ],
        schema=LANDED,
    )


def land(writer: LandingTable, spans: Mapping[tuple[str, int], tuple[int, int]]) -> None:
    """Appends events from each first offset up to, not including, its end."""
    writer.append(
        rows(EVENT, spans),
        rows(DEAD_LETTER, {}),
        {place: first for place, (first, _) in spans.items()},
        {place: end for place, (_, end) in spans.items()},
    )


def span(place: int, first: int, end: int) -> list[tuple[int, int]]:
    return [(place, offset) for offset in range(first, end)]


def test_nothing_is_landed_at_first(table: Landed) -> None:
    assert table.open_writer().landed([P0, P1]) == {}


def test_rows_and_progress_come_together(table: Landed) -> None:
    writer = table.open_writer()
    writer.append(
        rows(EVENT, {P0: (0, 3)}), rows(DEAD_LETTER, {P0: (3, 4), P1: (5, 6)}), {P0: 0, P1: 5}, {P0: 4, P1: 6}
    )
    assert table.offsets(EVENT) == span(0, 0, 3)
    assert table.offsets(DEAD_LETTER) == [(0, 3), (1, 5)]
    assert writer.landed([P0, P1, P2]) == table.open_writer().landed([P0, P1, P2]) == {P0: 4, P1: 6}


def test_batches_follow_each_other(table: Landed) -> None:
    writer = table.open_writer()
    for first in range(0, 30, 10):
        land(writer, {P0: (first, first + 10)})
    assert table.offsets() == span(0, 0, 30)


@pytest.mark.parametrize("first", [0, 5, 9, 11])
def test_a_batch_that_does_not_begin_where_the_table_stands_is_refused(table: Landed, first: int) -> None:
    writer = table.open_writer()
    land(writer, {P0: (0, 10)})
    with pytest.raises(LandingConflict):
        land(writer, {P0: (first, 20)})
    assert table.offsets() == span(0, 0, 10)
    assert writer.landed([P0]) == {P0: 10}


def test_a_zombie_with_a_stale_view_is_refused(table: Landed) -> None:
    zombie, successor = table.open_writer(), table.open_writer()
    land(zombie, {P0: (0, 10)})
    assert successor.landed([P0]) == {P0: 10}
    land(successor, {P0: (10, 20)})
    with pytest.raises(LandingConflict):
        land(zombie, {P0: (10, 15)})
    assert table.offsets() == span(0, 0, 20)
    assert zombie.landed([P0]) == {P0: 20}


def test_two_writers_that_begin_a_stream_partition_land_it_once(table: Landed) -> None:
    one, two = table.open_writer(), table.open_writer()
    assert (one.landed([P0]), two.landed([P0])) == ({}, {})
    land(one, {P0: (0, 10)})
    with pytest.raises(LandingConflict):
        land(two, {P0: (0, 10)})
    assert table.offsets() == span(0, 0, 10)


def test_writers_of_different_stream_partitions_do_not_disturb_each_other(table: Landed) -> None:
    one, two = table.open_writer(), table.open_writer()
    for first in range(0, 30, 10):
        land(one, {P0: (first, first + 10)})
        land(two, {P1: (first, first + 10)})
    assert table.offsets() == span(0, 0, 30) + span(1, 0, 30)


def test_a_view_that_was_rebased_past_another_writer_does_not_accept_its_old_batch(table: Landed) -> None:
    first, second = table.open_writer(), table.open_writer()
    land(first, {P0: (0, 10), P1: (0, 10)})
    assert second.landed([P0]) == {P0: 10}
    land(second, {P0: (10, 60)})
    # This commit is rebased over the other's, so the view now shows the other's progress of P0 as if it were known.
    land(first, {P1: (10, 20)})
    with pytest.raises(LandingConflict):
        land(first, {P0: (10, 60)})
    assert table.offsets() == span(0, 0, 60) + span(1, 0, 20)


def test_a_conflict_in_one_stream_partition_writes_nothing_of_the_others(table: Landed) -> None:
    zombie, successor = table.open_writer(), table.open_writer()
    land(zombie, {P0: (0, 10)})
    successor.landed([P0])
    land(successor, {P0: (10, 20)})
    with pytest.raises(LandingConflict):
        land(zombie, {P0: (10, 20), P1: (0, 10)})
    assert table.offsets() == span(0, 0, 20)
    assert zombie.landed([P0, P1]) == {P0: 20}
