"""The worker on the stream and the table in memory."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from event_stream.codec import encode_event
from event_stream.errors import OffsetLost
from event_stream.event import INGEST_VERSION, Event
from event_stream.memory import MemoryReader, MemoryStream
from event_stream.ports import OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import Topic
from lake.errors import LakeAway, LandingConflict
from lake.progress import Progress
from lake.raw_schema import DEAD_LETTER, EVENT
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.errors import TooManyDeadLetters
from pipelines.landing.memory import MemoryLandingTable, MemoryTable
from pipelines.landing.ports import LandingTable
from pipelines.landing.worker import ON_THE_CALLERS_THREAD, LandingWorker

EVENTS = Topic("logektor.events.v1", 2, timedelta(days=1), 1_000_000)
REJECTED = Topic("logektor.rejected.v1", 1, timedelta(days=1), 1_000_000)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMIT = DeadLetterLimit(share=0.5, records=10)
AT_ONCE = BatchRule(max_records=1)
WITHIN_A_SECOND = BatchRule(max_age=1.0)


def event(number: int) -> bytes:
    return encode_event(
        Event(
            event_id=str(number),
            site="example.com",
            action="pageview",
            object_type="visitor",
            occurred_at=0,
            received_at=0,
            ingest_version=INGEST_VERSION,
        )
    )


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class World:
    """A stream, a table and the workers between them."""

    def __init__(self) -> None:
        self.stream = MemoryStream([EVENTS, REJECTED])
        self.table = MemoryTable()
        self.clock = Clock()
        self.readers: list[MemoryReader] = []

    def worker(
        self,
        table: LandingTable | None = None,
        rule: BatchRule = WITHIN_A_SECOND,
        limit: DeadLetterLimit = LIMIT,
        executor: Executor = ON_THE_CALLERS_THREAD,
    ) -> LandingWorker:
        return LandingWorker(
            lambda on_assign, on_revoke: MemoryReader(self.stream, on_assign, on_revoke),
            table or MemoryLandingTable(self.table),
            rule,
            limit,
            now=lambda: NOW,
            monotonic=self.clock,
            executor=executor,
        )

    def produce(self, values: Iterable[bytes], topic: Topic = EVENTS) -> None:
        for value in values:
            self.stream.append(OutgoingRecord(topic.name, None, value))

    def landed(self, kind: str = EVENT) -> list[tuple[str, int, int]]:
        rows = self.table.rows.select(["kind", "stream_id", "kafka_partition", "kafka_offset"]).to_pylist()
        return sorted(
            (row["stream_id"], row["kafka_partition"], row["kafka_offset"]) for row in rows if row["kind"] == kind
        )

    def produced(self, topic: Topic = EVENTS) -> list[tuple[str, int, int]]:
        return sorted(
            (place.stream_id, place.partition, record.offset)
            for place, log in self.stream.logs.items()
            if place.topic == topic.name
            for record in log
        )


class FailingTable:
    """A landing table that fails where a test says so: before or after what it was asked to do."""

    def __init__(self, table: LandingTable, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._table = table
        self._before = before
        self._after = after

    def landed(self, places: Iterable[tuple[str, int]]) -> Progress:
        return self._table.landed(places)

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        self._before()
        self._table.append(events, dead_letters, first_offsets, next_offsets)
        self._after()


@pytest.fixture
def world() -> World:
    return World()


def nothing() -> None:
    """Does not fail."""


def fail() -> None:
    raise LakeAway("the answer never came")


def test_records_wait_for_their_batch_and_no_longer(world: World) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker()
    worker.step()
    world.clock.seconds = 0.9
    worker.step()
    assert world.landed() == []
    world.clock.seconds = 1.0
    worker.step()
    assert world.landed() == world.produced()
    assert worker.landed_events == 10


def test_kafka_is_told_afterwards_as_a_hint(world: World) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker(rule=AT_ONCE)
    for _ in range(10):
        worker.step()
    assert {place.partition: offset for place, offset in world.stream.committed.items()} == {0: 5, 1: 5}


def test_events_poison_and_rejections_land_together(world: World) -> None:
    rejection = Rejection.of(b"{}", reason="invalid", detail="no site", received_at=0)
    world.produce([event(0), b"poison", event(1)])
    world.produce([encode_rejection(rejection)], REJECTED)
    worker = world.worker()
    worker.step()
    worker.drain()
    assert len(world.landed()) == 2
    assert len(world.landed(DEAD_LETTER)) == 2
    assert sorted(world.landed() + world.landed(DEAD_LETTER)) == sorted(world.produced() + world.produced(REJECTED))
    assert worker.landed_dead_letters == 2


def test_a_full_buffer_stops_reading(world: World) -> None:
    world.produce(map(event, range(100)))
    rule = BatchRule(max_records=10, max_read=4)
    sizes: list[int] = []

    class Sizes(MemoryLandingTable):
        def append(self, events: pa.Table, dead_letters: pa.Table, first: Progress, end: Progress) -> None:
            sizes.append(events.num_rows)
            super().append(events, dead_letters, first, end)

    worker = world.worker(table=Sizes(world.table), rule=rule)
    while len(world.landed()) < 100:
        worker.step()
    assert sizes == [10] * 10


def test_a_stop_lands_what_was_read(world: World) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker()
    worker.step()
    worker.drain()
    worker.close()
    assert world.landed() == world.produced()
    assert world.stream.members == []


def test_a_crash_between_the_two_commits_repeats_nothing(world: World) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker(table=FailingTable(MemoryLandingTable(world.table), nothing, fail), rule=AT_ONCE)
    with pytest.raises(LakeAway):
        worker.step()
    assert len(world.landed()) == 1
    assert world.stream.committed == {}
    worker.close()
    successor = world.worker()
    successor.step()
    successor.drain()
    assert world.landed() == world.produced()


def test_a_crash_before_the_commit_loses_nothing(world: World) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker(table=FailingTable(MemoryLandingTable(world.table), fail, nothing), rule=AT_ONCE)
    with pytest.raises(LakeAway):
        worker.step()
    assert world.landed() == []
    worker.close()
    successor = world.worker()
    successor.step()
    successor.drain()
    assert world.landed() == world.produced()


def test_after_a_conflict_only_what_is_missing_is_landed(world: World) -> None:
    world.produce(map(event, range(10)))
    zombie = world.worker()
    zombie.step()
    # The group thinks it dead, and a successor gets everything.
    dead = world.stream.members.pop()
    successor = world.worker()
    successor.step()
    successor.drain()
    world.stream.members.append(dead)
    world.produce(map(event, range(10, 14)))
    zombie.step()
    zombie.drain()
    assert world.landed() == world.produced()
    assert zombie.landed_events == 4


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_the_next_batch_is_read_while_one_is_landed_and_no_more_than_it_holds(world: World, executor: Executor) -> None:
    gate = threading.Event()
    table = FailingTable(MemoryLandingTable(world.table), lambda: None if gate.wait(30) else fail(), nothing)
    world.produce(map(event, range(100)))
    worker = world.worker(table=table, rule=BatchRule(max_records=10), executor=executor)
    for _ in range(5):
        worker.step()
    assert (worker.waiting, world.landed()) == (20, [])
    world.clock.seconds = 40.0
    assert worker.landing_seconds == 40.0
    gate.set()
    for _ in range(20):
        worker.step()
        worker.drain()
    assert world.landed() == world.produced()
    assert (worker.landed_events, worker.landing_seconds) == (100, 0.0)


def test_a_batch_under_way_is_landed_before_its_stream_partitions_go_to_another(
    world: World, executor: Executor
) -> None:
    world.produce(map(event, range(10)))
    started, gate = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        assert gate.wait(30)

    one = world.worker(
        table=FailingTable(MemoryLandingTable(world.table), hold, nothing), rule=AT_ONCE, executor=executor
    )
    one.step()
    assert started.wait(30)
    two = world.worker(rule=AT_ONCE)
    timer = threading.Timer(0.2, gate.set)
    timer.start()
    one.step()
    assert gate.is_set()
    assert len(world.landed()) == 1
    timer.join()
    for _ in range(10):
        one.step()
        one.drain()
        two.step()
    assert world.landed() == world.produced()


def test_an_error_of_a_batch_under_way_stops_the_worker(world: World, executor: Executor) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker(
        table=FailingTable(MemoryLandingTable(world.table), fail, nothing), rule=AT_ONCE, executor=executor
    )
    with pytest.raises(LakeAway):
        for _ in range(1_000):
            worker.step()
    assert world.landed() == []


def test_conflicts_without_end_stop_the_worker(world: World) -> None:
    def conflict() -> None:
        raise LandingConflict("somebody else.")

    world.produce([event(0)])
    worker = world.worker(table=FailingTable(MemoryLandingTable(world.table), conflict, nothing), rule=AT_ONCE)
    with pytest.raises(LakeAway, match="20 attempts"):
        for _ in range(20):
            worker.step()


def test_buffered_records_of_a_revoked_stream_partition_are_left_to_the_other(world: World) -> None:
    world.produce(map(event, range(10)))
    one = world.worker()
    one.step()
    two = world.worker()
    one.step()
    two.step()
    for worker in (one, two):
        worker.drain()
    assert world.landed() == world.produced()
    assert (one.landed_events, two.landed_events) == (5, 5)


def test_a_stream_that_lost_records_stops_the_worker(world: World) -> None:
    world.produce(map(event, range(10)))
    worker = world.worker(rule=AT_ONCE)
    for _ in range(3):
        worker.step()
    landed = world.landed()
    world.stream.expire(EVENTS.name, 5)
    with pytest.raises(OffsetLost):
        for _ in range(10):
            worker.step()
    assert set(landed) <= set(world.landed())


def test_too_many_unreadable_records_stop_the_worker_before_they_are_landed(world: World) -> None:
    world.produce([*map(event, range(4)), *[b"of another version"] * 6])
    worker = world.worker()
    with pytest.raises(TooManyDeadLetters, match=r"6 of 10 records in a row .* logektor.events.v1\[\d\] offset 4"):
        worker.step()
        worker.drain()
    assert world.landed(DEAD_LETTER) == []


def test_a_few_unreadable_records_are_put_aside(world: World) -> None:
    world.produce([b"poison" if number % 2 else event(number) for number in range(100)])
    worker = world.worker()
    worker.step()
    worker.drain()
    assert (len(world.landed()), len(world.landed(DEAD_LETTER))) == (50, 50)


def test_what_the_collector_rejected_never_stops_the_worker(world: World) -> None:
    rejection = encode_rejection(Rejection.of(b"{}", reason="invalid", detail="no site", received_at=0))
    world.produce([rejection] * 100, REJECTED)
    worker = world.worker()
    worker.step()
    worker.drain()
    assert len(world.landed(DEAD_LETTER)) == 100
