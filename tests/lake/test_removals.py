"""What was removed is told from what was lost."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lake.audit
from lake.audit import PartitionAudit, audit
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import open_landed
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED
from lake.removals import ERASED, EXPIRED, REMOVALS, gap, read_removals, record, runs

P0 = ("cluster/events", 0)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def the_lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def rows(kind: str, offsets: Sequence[int]) -> pa.Table:
    place = {"landed_date": NOW.date(), "landed_at": NOW, "stream_id": P0[0], "kafka_partition": P0[1]}
    return pa.Table.from_pylist([{**place, "kind": kind, "kafka_offset": offset} for offset in offsets], schema=LANDED)


def land(lake: Lake, first: int, end: int) -> None:
    """Events, the last of which is a dead letter."""
    writer = DeltaLandingTable(lake)
    writer.landed([P0])
    writer.append(rows(EVENT, range(first, end - 1)), rows(DEAD_LETTER, [end - 1]), {P0: first}, {P0: end})


def delete(lake: Lake, condition: str) -> None:
    table = open_landed(lake)
    assert table is not None
    table.delete(condition)


def named(offsets: Sequence[int], reason: str = ERASED) -> pl.DataFrame:
    return runs(pl.DataFrame(rows(EVENT, offsets)), reason, NOW, "digest")


def the_audit(lake: Lake) -> PartitionAudit:
    (partition,) = audit(lake).partitions
    return partition


@given(st.sets(st.integers(0, 60)))
def test_runs_hold_exactly_the_offsets_and_no_two_touch(offsets: set[int]) -> None:
    found = named(sorted(offsets))
    assert found.schema == pl.Schema(REMOVALS.schema)
    bounds = list(found.select("first_offset", "next_offset").iter_rows())
    assert [offset for first, end in bounds for offset in range(first, end)] == sorted(offsets)
    assert all(end < first for (_, end), (first, _) in pairwise(bounds))


def test_nothing_to_remove_writes_nothing(the_lake: Lake) -> None:
    record(the_lake, named([]))
    assert read_removals(the_lake).is_empty()
    assert not (Path(the_lake.uri) / "removals").exists()


@pytest.mark.parametrize("at_once", [1, 7, 1_000_000])
def test_what_was_removed_is_not_missing(the_lake: Lake, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(lake.audit, "_OFFSETS_AT_ONCE", at_once)
    land(the_lake, 0, 20)
    record(the_lake, named([3, 4, 9]))
    delete(the_lake, "kafka_offset IN (3, 4, 9)")
    result = the_audit(the_lake)
    assert result.exact
    assert (result.events, result.dead_letters, result.removed) == (16, 1, 3)
    delete(the_lake, "kafka_offset = 5")
    assert (the_audit(the_lake).removed, the_audit(the_lake).missing) == (3, 1)


def test_all_may_be_removed(the_lake: Lake) -> None:
    land(the_lake, 0, 5)
    record(the_lake, named(range(5), EXPIRED))
    delete(the_lake, "true")
    assert the_audit(the_lake).exact
    assert the_audit(the_lake).removed == 5


def test_a_removal_that_was_stopped_is_found_and_repeating_it_ends_exact(the_lake: Lake) -> None:
    land(the_lake, 0, 10)
    record(the_lake, named([2, 3]))
    assert (the_audit(the_lake).unfinished, the_audit(the_lake).missing) == (2, 0)
    assert not audit(the_lake).exact
    record(the_lake, named([2, 3]))
    delete(the_lake, "kafka_offset IN (2, 3)")
    assert the_audit(the_lake).exact
    assert the_audit(the_lake).removed == 2


def test_a_gap_counts_up_to_where_was_landed(the_lake: Lake) -> None:
    land(the_lake, 10, 20)
    record(the_lake, gap(P0, 20, 30, NOW))
    assert (the_audit(the_lake).exact, the_audit(the_lake).removed) == (True, 0)
    writer = DeltaLandingTable(the_lake)
    writer.landed([P0])
    writer.append(LANDED.empty_table(), LANDED.empty_table(), {P0: 20}, {P0: 30})
    land(the_lake, 30, 35)
    record(the_lake, gap(P0, 35, None, NOW))
    result = the_audit(the_lake)
    assert result.exact
    assert (result.first_offset, result.next_offset, result.removed) == (10, 35, 10)


def test_what_fell_into_a_gap_and_was_landed_all_the_same_is_landed(the_lake: Lake) -> None:
    land(the_lake, 0, 10)
    record(the_lake, gap(P0, 5, 12, NOW))
    assert (the_audit(the_lake).exact, the_audit(the_lake).removed) == (True, 0)
