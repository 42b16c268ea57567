"""Kafka and the disk spool as one writer: what Kafka does not take waits on disk, and reaches Kafka when it is back."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from event_stream.errors import WriteRefused
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_topics import ensure_topics
from event_stream.kafka_writer import KafkaWriter
from event_stream.memory import MemoryStream, MemoryWriter
from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.topics import Topic
from ingest_api import metrics
from ingest_api.durable_writer import DurableWriter
from ingest_api.spool_folder import SpoolFolder
from logektor.embedded_kafka import free_port
from tests.conftest import RunningKafka
from tests.event_stream.test_writer_contract import stored_in_kafka, until

MIB = 1024 * 1024


def record(value: str) -> OutgoingRecord:
    return OutgoingRecord("events", b"key", value.encode())


def numbered(first: int, last: int) -> list[OutgoingRecord]:
    return [record(f"{number}") for number in range(first, last)]


def new_stream() -> MemoryStream:
    return MemoryStream((Topic("events", 1, timedelta(days=1), 1_000_000),))


def stored(stream: MemoryStream) -> list[str]:
    return [record.value.decode() for log in stream.logs.values() for record in log]


class Refusing(MemoryWriter):
    """Refuses one record for good, as a broker does with what is too large for it."""

    async def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteRefused | None]:
        taken = [record for record in records if record.value != b"poison"]
        await super().write(taken)
        return [WriteRefused("too large") if record.value == b"poison" else None for record in records]


class Hung:
    """A broker that never answers; what waits is refused when the writer is closed, as KafkaWriter does."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, asyncio.Future[Sequence[WriteRefused | None]]]] = []
        self.closed = False

    def write(self, records: Sequence[OutgoingRecord]) -> Awaitable[Sequence[WriteRefused | None]]:
        future: asyncio.Future[Sequence[WriteRefused | None]] = asyncio.get_running_loop().create_future()
        if self.closed:
            future.set_result([WriteRefused("the writer is closed")] * len(records))
        else:
            self.waiting.append((len(records), future))
        return future

    def healthy(self) -> bool:
        return True

    async def close(self, deadline: float) -> None:
        self.closed = True
        if self.waiting:
            await asyncio.wait([future for _, future in self.waiting], timeout=deadline)
        for records, future in self.waiting:
            future.set_result([WriteRefused("Kafka did not acknowledge it in time")] * records)


class Counting(SpoolFolder):
    """Counts its commits, and commits only when it may."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        super().__init__(folder, most_bytes)
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.groups: list[int] = []

    def append(self, writes: Sequence[Sequence[OutgoingRecord]]) -> list[WriteRefused | None]:
        self.may_commit.wait(20)
        self.groups.append(len(writes))
        return super().append(writes)


class HungDisk(SpoolFolder):
    """A disk that answers only when it is told to, and then with an error."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        super().__init__(folder, most_bytes)
        self.may_answer = threading.Event()

    def append(self, writes: Sequence[Sequence[OutgoingRecord]]) -> list[WriteRefused | None]:
        self.may_answer.wait(20)
        return [WriteRefused("it hung")] * len(writes)


def durable(kafka: EventWriter, spool: SpoolFolder, *, queue_bytes: int = MIB) -> DurableWriter:
    return DurableWriter(kafka, spool, kafka_up=kafka.healthy, queue_records=100, queue_bytes=queue_bytes)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def spool_files(folder: Path) -> list[Path]:
    return list(folder.glob("*.sqlite3*"))


def left_in(folder: Path) -> int:
    """How many records stopped writers left."""
    spool = SpoolFolder(folder, MIB)
    spool.adopt()
    records = spool.look().records
    spool.close()
    return records


def test_while_kafka_answers_nothing_is_written_to_the_disk(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        writer = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        assert await writer.write(numbered(0, 3)) == [None] * 3
        assert spool_files(tmp_path) == []
        await writer.close(5)

    run(scenario)
    assert stored(stream) == ["0", "1", "2"]


def test_what_comes_while_kafka_is_away_is_drained_in_order_when_it_is_back(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        stream.available = False
        writer = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        for number in range(0, 200, 4):
            assert await writer.write(numbered(number, number + 4)) == [None] * 4
        assert stored(stream) == []
        assert spool_files(tmp_path) != []
        stream.available = True
        await until(lambda: spool_files(tmp_path) == [], 30)
        await writer.close(5)

    run(scenario)
    assert stored(stream) == [f"{number}" for number in range(200)]


def test_an_absent_kafka_is_not_waited_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        spool = SpoolFolder(tmp_path, MIB)
        writer = DurableWriter(Hung(), spool, kafka_up=lambda: False, queue_records=100, queue_bytes=MIB)
        assert await writer.write([record("a")]) == [None]
        await writer.close(1)

    run(scenario)


def test_of_a_write_only_what_kafka_refused_is_kept_and_it_holds_up_nothing(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        writer = durable(Refusing(stream), SpoolFolder(tmp_path, MIB))
        assert await writer.write([record("a"), record("poison"), record("b")]) == [None] * 3
        stream.available = False
        assert await writer.write([record("c")]) == [None]
        stream.available = True
        await until(lambda: "c" in stored(stream), 20)
        await writer.close(5)

    run(scenario)
    assert stored(stream) == ["a", "b", "c"]
    assert left_in(tmp_path) == 1


def test_what_neither_takes_is_refused_with_both_reasons(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario(most_bytes: int, says: str) -> None:
        stream.available = False
        writer = durable(MemoryWriter(stream), SpoolFolder(tmp_path, most_bytes))
        for refusal in await writer.write([record("x" * 4000), record("b")]):
            assert "available" in str(refusal) or "away" in str(refusal)
            assert says in str(refusal)
        assert not writer.healthy()
        stream.available = True
        assert writer.healthy()
        await writer.close(5)

    run(lambda: scenario(0, "spool is off"))
    run(lambda: scenario(1000, "spool is full"))


def test_it_is_healthy_while_the_spool_has_room(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        stream.available = False
        writer = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        await until(writer.healthy, 10)
        await writer.close(5)

    run(scenario)


def test_writes_that_come_while_the_disk_works_are_one_commit_and_the_loop_goes_on(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        stream.available = False
        spool = Counting(tmp_path, MIB)
        writer = durable(MemoryWriter(stream), spool)
        spool.may_commit.clear()
        writes = [asyncio.ensure_future(_written(writer, [record(f"{number}")])) for number in range(100)]
        # The disk hangs now; the loop does not.
        await asyncio.sleep(0.1)
        assert not any(write.done() for write in writes)
        spool.may_commit.set()
        assert await asyncio.gather(*writes) == [[None]] * 100
        assert len(spool.groups) <= 2
        stream.available = True
        await until(lambda: len(stored(stream)) == 100, 20)
        await writer.close(5)

    run(scenario)
    assert stored(stream) == [f"{number}" for number in range(100)]


async def _written(writer: EventWriter, records: Sequence[OutgoingRecord]) -> list[WriteRefused | None]:
    return list(await writer.write(records))


def test_what_waits_for_a_hung_disk_is_bounded(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        stream.available = False
        spool = Counting(tmp_path, MIB)
        writer = durable(MemoryWriter(stream), spool, queue_bytes=10_000)
        spool.may_commit.clear()
        waiting = asyncio.ensure_future(_written(writer, [record("x" * 8_000)]))
        await asyncio.sleep(0)
        (refusal,) = await writer.write([record("x" * 8_000)])
        assert "wait for the disk" in str(refusal)
        spool.may_commit.set()
        assert await waiting == [None]
        await writer.close(5)

    run(scenario)


def test_new_records_go_to_kafka_while_the_spool_drains(tmp_path: Path) -> None:
    stream = new_stream()
    may_drain = asyncio.Event()

    class SlowDrain(MemoryWriter):
        async def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteRefused | None]:
            if records[0].value.startswith(b"old"):
                await may_drain.wait()
            return await super().write(records)

    async def scenario() -> None:
        stream.available = False
        writer = durable(SlowDrain(stream), SpoolFolder(tmp_path, MIB))
        assert await writer.write([record("old")]) == [None]
        stream.available = True
        await asyncio.sleep(0)
        assert await writer.write([record("new")]) == [None]
        assert stored(stream) == ["new"]
        may_drain.set()
        await until(lambda: len(stored(stream)) == 2, 20)
        await writer.close(5)

    run(scenario)


def test_draining_takes_a_quarter_of_the_queue_at_most(tmp_path: Path) -> None:
    stream = new_stream()
    sizes: list[int] = []

    class Measured(MemoryWriter):
        async def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteRefused | None]:
            sizes.append(len(records))
            return await super().write(records)

    async def scenario() -> None:
        stream.available = False
        writer = durable(Measured(stream), SpoolFolder(tmp_path, MIB))
        assert await writer.write(numbered(0, 90)) == [None] * 90
        stream.available = True
        await until(lambda: len(stored(stream)) == 90, 20)
        await writer.close(5)

    run(scenario)
    assert max(sizes) == 25


def test_a_crash_between_acknowledgement_and_deletion_loses_nothing(tmp_path: Path) -> None:
    stream = new_stream()
    stream.available = False
    before = SpoolFolder(tmp_path, MIB)
    assert before.append([numbered(0, 10)]) == [None]
    before.rewind()
    piece = before.next_piece(5, MIB)
    assert piece is not None
    for each in piece.spooled.records:
        stream.append(each)
    # The process dies here: what it had locked is free, what Kafka has is not deleted.
    before.close()
    stream.available = True

    async def scenario() -> None:
        writer = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        await until(lambda: spool_files(tmp_path) == [], 20)
        await writer.close(5)

    run(scenario)
    assert set(stored(stream)) == {f"{number}" for number in range(10)}
    assert len(stored(stream)) == 15


def test_a_survivor_drains_what_another_process_left(tmp_path: Path) -> None:
    stream = new_stream()

    async def scenario() -> None:
        stream.available = False
        survivor = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        other = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        assert await other.write([record("left")]) == [None]
        await other.close(5)
        stream.available = True
        await until(lambda: stored(stream) == ["left"], 30)
        await until(lambda: spool_files(tmp_path) == [], 10)
        await survivor.close(5)

    run(scenario)


def test_closing_hands_over_what_kafka_has_not_acknowledged_within_one_deadline(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = durable(Hung(), SpoolFolder(tmp_path, MIB))
        writes = [asyncio.ensure_future(_written(writer, [record(f"{number}")])) for number in range(20)]
        await asyncio.sleep(0)
        async with asyncio.timeout(4):
            await writer.close(2)
        assert [await write for write in writes] == [[None]] * 20
        (refusal,) = await writer.write([record("late")])
        assert "stops" in str(refusal)

    run(scenario)
    assert left_in(tmp_path) == 20


def test_a_hung_disk_does_not_keep_it_from_closing_in_time(tmp_path: Path) -> None:
    stream = new_stream()
    stream.available = False

    async def scenario() -> None:
        writer = durable(MemoryWriter(stream), spool := HungDisk(tmp_path, MIB))
        write = asyncio.ensure_future(_written(writer, [record("a")]))
        await asyncio.sleep(0)
        async with asyncio.timeout(4):
            await writer.close(1)
        spool.may_answer.set()
        assert await write != [None]

    run(scenario)


def test_the_spool_is_measured(tmp_path: Path) -> None:
    stream = new_stream()
    spooled, drained = metrics.SPOOLED._value.get(), metrics.SPOOL_DRAINED._value.get()

    async def scenario() -> None:
        stream.available = False
        writer = durable(MemoryWriter(stream), SpoolFolder(tmp_path, MIB))
        assert await writer.write(numbered(0, 7)) == [None] * 7
        assert metrics.SPOOLED._value.get() - spooled == 7
        await until(lambda: metrics.SPOOL_RECORDS._value.get() == 7, 20)
        await until(lambda: metrics.SPOOL_OLDEST._value.get() > 0, 20)
        assert metrics.SPOOL_BYTES._value.get() > 0
        stream.available = True
        await until(lambda: metrics.SPOOL_RECORDS._value.get() == 0, 20)
        assert metrics.SPOOL_OLDEST._value.get() == 0
        assert metrics.SPOOL_DRAINED._value.get() - drained == 7
        await writer.close(5)

    run(scenario)


def test_a_broken_producer_hands_what_it_had_to_the_spool(tmp_path: Path) -> None:
    async def scenario() -> None:
        kafka = KafkaWriter(
            KafkaCluster(f"127.0.0.1:{free_port()}"), delivery_seconds=30, queue_records=1000, queue_bytes=MIB
        )
        spool = SpoolFolder(tmp_path, MIB)
        writer = DurableWriter(kafka, spool, kafka_up=lambda: True, queue_records=1000, queue_bytes=MIB)
        under_way = [asyncio.ensure_future(_written(writer, [each])) for each in numbered(0, 50)]
        await until(lambda: kafka.waiting() == 50, 10)
        # librdkafka has no way to make a fatal error on purpose that Python can reach.
        kafka._on_error(KafkaError(KafkaError._FATAL, "made by the test", True))
        async with asyncio.timeout(10):
            assert await asyncio.gather(*under_way) == [[None]] * 50
        await writer.close(2)

    run(scenario)
    assert left_in(tmp_path) == 50


@pytest.mark.kafka
def test_what_a_broken_producer_had_is_in_kafka_in_the_end(kafka: RunningKafka, tmp_path: Path) -> None:
    topic = Topic(f"durable-{uuid.uuid4().hex}", 2, timedelta(days=1), 1_000_000)
    ensure_topics(kafka.cluster, (topic,), 20)
    values = [f"{number}".encode() for number in range(300)]

    async def scenario() -> None:
        inner = KafkaWriter(kafka.cluster, delivery_seconds=5, queue_records=1000, queue_bytes=MIB)
        await until(inner.healthy, 20)
        writer = durable(inner, SpoolFolder(tmp_path, MIB))
        under_way = [
            asyncio.ensure_future(_written(writer, [OutgoingRecord(topic.name, b"key", value)])) for value in values
        ]
        await asyncio.sleep(0)
        inner._on_error(KafkaError(KafkaError._FATAL, "made by the test", True))
        assert await asyncio.gather(*under_way) == [[None]] * len(values)
        await until(lambda: spool_files(tmp_path) == [], 30)
        await writer.close(5)

    run(scenario)
    assert {value for log in stored_in_kafka(kafka.bootstrap_servers, topic.name) for value in log} == set(values)
