"""The audit finds what is missing, doubled or stray, and nothing where all is exact."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake

import lake.audit
from lake.audit import Audit, PartitionAudit, audit
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import open_landed
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED

P0, P1 = ("cluster/events", 0), ("cluster/events", 1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NO_FAULTS = (0, 0, 0, 0)
"""Missing, doubled, unfinished, stray."""


@pytest.fixture
def the_lake(tmp_path: object) -> Lake:
    return Lake(str(tmp_path))


def rows(place: tuple[str, int], kind: str, offsets: Sequence[int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "kind": kind,
                "landed_date": NOW.date(),
                "landed_at": NOW,
                "stream_id": place[0],
                "kafka_partition": place[1],
                "kafka_offset": offset,
            }
            for offset in offsets
        ],
        schema=LANDED,
    )


def land(lake: Lake, place: tuple[str, int], events: Sequence[int], dead_letters: Sequence[int], end: int) -> None:
    """Lands these offsets and says that all up to `end` are landed, whether or not that is true."""
    first = min([*events, *dead_letters])
    table = DeltaLandingTable(lake)
    first = table.landed([place]).get(place, first)
    table.append(rows(place, EVENT, events), rows(place, DEAD_LETTER, dead_letters), {place: first}, {place: end})


def test_nothing_landed_is_exact(the_lake: Lake) -> None:
    assert audit(the_lake) == Audit([])
    assert audit(the_lake).exact
    DeltaLandingTable(the_lake).landed([P0])
    assert audit(the_lake) == Audit([])


@pytest.mark.parametrize("at_once", [1, 7, 1_000_000])
def test_events_and_dead_letters_add_up(the_lake: Lake, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(lake.audit, "_OFFSETS_AT_ONCE", at_once)
    land(the_lake, P0, range(5, 20), [20, 21], 22)
    land(the_lake, P0, range(22, 30), [], 30)
    land(the_lake, P1, [], range(3), 3)
    result = audit(the_lake)
    assert result.exact
    assert result.partitions == [
        PartitionAudit(*P0, 5, 30, 23, 2, 0, *NO_FAULTS),
        PartitionAudit(*P1, 0, 3, 0, 3, 0, *NO_FAULTS),
    ]


def test_a_missing_record_is_found(the_lake: Lake) -> None:
    land(the_lake, P0, [0, 1, 3], [], 5)
    (partition,) = audit(the_lake).partitions
    assert (partition.missing, partition.doubled, partition.stray) == (2, 0, 0)
    assert not audit(the_lake).exact


def test_a_doubled_record_is_found_also_where_another_is_missing(the_lake: Lake) -> None:
    land(the_lake, P0, [0, 1, 1], [0], 4)
    (partition,) = audit(the_lake).partitions
    assert (partition.events, partition.dead_letters) == (3, 1)
    assert (partition.missing, partition.doubled, partition.stray) == (2, 2, 0)
    assert not audit(the_lake).exact


def test_rows_that_were_never_committed_as_landed_are_found(the_lake: Lake) -> None:
    land(the_lake, P0, [2, 3], [], 4)
    table = open_landed(the_lake)
    assert table is not None
    write_deltalake(table, pa.concat_tables([rows(P0, EVENT, [1, 4]), rows(P1, EVENT, [0])]), mode="append")
    first, second = audit(the_lake).partitions
    assert (first.missing, first.doubled, first.stray) == (0, 0, 2)
    assert (second.stream_id, second.partition, second.stray) == (*P1, 1)
    assert not audit(the_lake).exact
