"""When a batch is landed, and what waits for it."""

import pytest

from event_stream.errors import OffsetLost
from event_stream.ports import Record, StreamPartition
from pipelines.landing.batch import Batch, BatchRule, Buffer
from pipelines.landing.errors import HoleFound

P0, P1 = StreamPartition("c/e", "events", 0), StreamPartition("c/e", "events", 1)
RULE = BatchRule(max_records=10, max_bytes=1_000, max_age=1.0, max_read=4)


def records(place: StreamPartition, first: int, end: int, size: int = 1) -> list[Record]:
    return [Record(place, offset, 0, b"x" * size) for offset in range(first, end)]


def offsets(buffer: Buffer) -> dict[StreamPartition, list[int]]:
    return {place: [record.offset for record in waiting] for place, waiting in buffer.waiting.items()}


@pytest.fixture
def buffer() -> Buffer:
    buffer = Buffer()
    buffer.assign({P0: 0, P1: None})
    return buffer


def test_nothing_is_never_due(buffer: Buffer) -> None:
    assert not RULE.due(buffer, 1e9)
    assert RULE.wait(buffer, 1e9) == 1.0


def test_a_batch_is_due_once_its_first_record_is_old_enough(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 1), 100.0)
    buffer.add(records(P0, 1, 2), 100.75)
    assert not RULE.due(buffer, 100.75)
    assert RULE.wait(buffer, 100.75) == 0.25
    assert RULE.due(buffer, 101.0)


@pytest.mark.parametrize(("count", "size"), [(10, 1), (2, 500)])
def test_a_full_batch_is_due_at_once_and_takes_no_more(buffer: Buffer, count: int, size: int) -> None:
    buffer.add(records(P0, 0, count, size), 100.0)
    assert RULE.room(buffer) == 0
    assert RULE.due(buffer, 100.0)


def test_never_more_is_read_than_fits(buffer: Buffer) -> None:
    assert RULE.room(buffer) == 4
    buffer.add(records(P0, 0, 8), 0.0)
    assert RULE.room(buffer) == 2


def test_a_batch_says_between_which_offsets_it_lies(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 3) + records(P1, 7, 9), 0.0)
    batch = buffer.take()
    assert batch.first_offsets == {P0: 0, P1: 7}
    assert batch.next_offsets == {P0: 3, P1: 9}
    buffer.landed(batch.next_offsets)
    assert (buffer.records, buffer.bytes, buffer.since) == (0, 0, None)
    buffer.add(records(P0, 3, 4), 5.0)
    assert buffer.take().first_offsets == {P0: 3}


def test_the_next_batch_gathers_while_one_is_landed(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 10), 0.0)
    batch = buffer.take()
    assert (buffer.records, buffer.bytes, buffer.since) == (0, 0, None)
    assert RULE.room(buffer) == 4
    buffer.add(records(P0, 8, 14), 5.0)
    assert offsets(buffer) == {P0: [10, 11, 12, 13]}
    buffer.landed(batch.next_offsets)
    assert (buffer.records, buffer.bytes, buffer.since) == (4, 4, 5.0)


def test_what_of_a_batch_was_not_landed_waits_again_and_is_due_as_before(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 4) + records(P1, 0, 2), 1.0)
    buffer.take()
    buffer.add(records(P0, 4, 6) + records(P1, 2, 4), 5.0)
    buffer.landed({P0: 3, P1: 3})
    assert offsets(buffer) == {P0: [3, 4, 5], P1: [3]}
    assert (buffer.records, buffer.bytes, buffer.since) == (4, 4, 1.0)


def test_what_is_landed_or_waits_already_is_dropped(buffer: Buffer) -> None:
    buffer.assign({P0: 5})
    buffer.add(records(P0, 3, 8), 0.0)
    buffer.add(records(P0, 6, 9), 0.0)
    assert offsets(buffer) == {P0: [5, 6, 7, 8]}
    assert buffer.bytes == 4


def test_what_another_worker_has_landed_is_dropped(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 5) + records(P1, 0, 2), 0.0)
    buffer.landed({P0: 3, P1: 9})
    assert offsets(buffer) == {P0: [3, 4]}
    buffer.add(records(P1, 2, 11), 0.0)
    assert offsets(buffer) == {P0: [3, 4], P1: [9, 10]}


def test_revoked_stream_partitions_take_their_records_along(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 5) + records(P1, 0, 2), 0.0)
    buffer.revoke([P0])
    assert offsets(buffer) == {P1: [0, 1]}
    buffer.add(records(P0, 5, 8), 0.0)
    assert offsets(buffer) == {P1: [0, 1]}
    buffer.assign({P0: 2})
    buffer.add(records(P0, 2, 4), 0.0)
    assert offsets(buffer) == {P0: [2, 3], P1: [0, 1]}


def test_a_gap_is_never_landed(buffer: Buffer) -> None:
    with pytest.raises(HoleFound, match=r"events\[0\] has offset 2: 2 records between them are missing"):
        buffer.add(records(P0, 2, 3), 0.0)
    buffer.add(records(P1, 5, 6), 0.0)
    with pytest.raises(HoleFound, match=r"after offset 5 of events\[1\] has offset 8: 2 records"):
        buffer.add(records(P1, 8, 9), 0.0)


def test_a_gap_between_records_read_together_is_never_landed(buffer: Buffer) -> None:
    with pytest.raises(HoleFound, match=r"has offset 3: 1 records between them are missing"):
        buffer.add(records(P0, 0, 2) + records(P0, 3, 5), 0.0)
    with pytest.raises(HoleFound, match=r"has offset 7: 1 records"):
        buffer.add([*records(P1, 5, 6), *records(P0, 2, 3), *records(P1, 7, 8)], 0.0)


def test_records_that_come_twice_wait_once(buffer: Buffer) -> None:
    buffer.add(records(P0, 0, 3) + records(P0, 1, 5) + records(P0, 0, 2), 0.0)
    assert offsets(buffer) == {P0: [0, 1, 2, 3, 4]}


@pytest.mark.parametrize("offset", [2, None])
def test_a_table_that_went_back_stops_the_worker(buffer: Buffer, offset: int | None) -> None:
    buffer.assign({P0: 5})
    with pytest.raises(OffsetLost, match=r"stands at offset .* of events\[0\], but this worker had landed up to 5"):
        buffer.landed({P0: offset})


def landed_in(rule: BatchRule, rate: int, seconds: int, landing: float) -> list[tuple[int, float]]:
    """Sizes of the batches, and how old the oldest record of each was in the end, where so many records come a second.

    `landing` is how many seconds it takes to land a batch; time goes in steps of 10 ms.
    """
    buffer, batches, offset = Buffer(), list[tuple[int, float]](), 0
    buffer.assign({P0: 0})
    under_way: tuple[Batch, float, float] | None = None
    for now in (step / 100 for step in range(seconds * 100)):
        room = min(rule.room(buffer), rate // 100)
        buffer.add(records(P0, offset, offset + room), now)
        offset += room
        if under_way is not None and now >= under_way[1]:
            batch, end, since = under_way
            buffer.landed(batch.next_offsets)
            batches.append((batch.size, end - since))
            under_way = None
        if under_way is None and rule.due(buffer, now):
            since = buffer.since or 0.0
            under_way = (buffer.take(), now + landing, since)
        assert buffer.records <= rule.max_records
    return batches


def test_when_quiet_batches_are_small_and_early() -> None:
    batches = landed_in(BatchRule(), rate=1_000, seconds=10, landing=0.2)
    assert max(age for _, age in batches) < 1.3
    assert max(size for size, _ in batches) < 1_100


def test_when_behind_batches_are_as_large_as_they_may_be() -> None:
    rule = BatchRule(max_records=10_000)
    sizes = [size for size, _ in landed_in(rule, rate=200_000, seconds=3, landing=0.1)]
    assert set(sizes[1:]) == {10_000}


def test_when_landing_is_slow_batches_grow_instead_of_waiting_longer() -> None:
    batches = landed_in(BatchRule(max_records=100_000), rate=1_000, seconds=60, landing=5.0)
    assert max(age for _, age in batches) < 11
    assert min(size for size, _ in batches[1:]) > 4_000
