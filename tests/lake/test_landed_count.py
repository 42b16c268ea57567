"""Counting from logs alone tells what is missing or doubled in numbers, and forgives what is being removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from lake.landed_count import LandedCount, count_landed_records, landed_on
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import open_landed
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED
from lake.removals import gap, record, runs

P0 = ("cluster/events", 0)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rows(kind: str, *offsets: int) -> pa.Table:
    place = {"landed_date": NOW.date(), "landed_at": NOW, "stream_id": P0[0], "kafka_partition": P0[1]}
    return pa.Table.from_pylist([{**place, "kind": kind, "kafka_offset": offset} for offset in offsets], schema=LANDED)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """The offsets 10 to 19: nine events and a dead letter."""
    lake = Lake(str(tmp_path))
    writer = DeltaLandingTable(lake)
    writer.landed([P0])
    writer.append(rows(EVENT, *range(10, 19)), rows(DEAD_LETTER, 19), {P0: 10}, {P0: 20})
    return lake


def delete(lake: Lake, condition: str) -> None:
    table = open_landed(lake)
    assert table is not None
    table.delete(condition)


def test_all_that_was_landed_is_there(lake: Lake) -> None:
    assert count_landed_records(lake) == LandedCount(landed=10, events=9, dead_letters=1, removed=0)
    assert count_landed_records(lake).holds


def test_a_row_that_is_gone_shows(lake: Lake) -> None:
    delete(lake, "kafka_offset = 12")
    assert not count_landed_records(lake).holds


def test_a_row_that_is_there_twice_shows() -> None:
    assert not LandedCount(landed=10, events=10, dead_letters=1, removed=0).holds


def test_what_is_removed_is_not_missing_while_and_after_it_goes(lake: Lake) -> None:
    offsets = pl.DataFrame(rows(EVENT, 12, 13, 17))
    record(lake, runs(offsets, "erased", NOW))
    record(lake, runs(offsets.tail(2), "erased", NOW))
    record(lake, gap(P0, 18, None, NOW))
    assert count_landed_records(lake).removed == 3
    assert count_landed_records(lake).holds
    delete(lake, "kafka_offset IN (12, 13, 17)")
    assert count_landed_records(lake).holds
    delete(lake, "kafka_offset = 14")
    assert not count_landed_records(lake).holds


def test_a_lake_without_tables_has_nothing(tmp_path: Path) -> None:
    assert count_landed_records(Lake(str(tmp_path))).holds
    assert landed_on(Lake(str(tmp_path)), NOW.date(), NOW.date()) == (0, 0)


def test_what_was_landed_on_some_days_is_counted_by_kind(lake: Lake) -> None:
    yesterday = NOW.date() - timedelta(days=1)
    assert landed_on(lake, yesterday, NOW.date()) == (9, 1)
    assert landed_on(lake, yesterday, yesterday) == (0, 0)
