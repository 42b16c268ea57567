"""What every EventWriter promises, on the stream in memory and on a real Kafka."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from event_stream.errors import WriteRefused
from event_stream.kafka_topics import ensure_topics
from event_stream.kafka_writer import KafkaWriter
from event_stream.memory import MemoryStream, MemoryWriter
from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.topics import Topic
from ingest_api.durable_writer import DurableWriter
from ingest_api.spool_folder import SpoolFolder
from tests.conftest import RunningKafka

DEADLINE_SECONDS = 2.0


class Stream(Protocol):
    """A stream whose writer is under test."""

    topic: str

    def writer(self) -> EventWriter:
        """A new writer; called inside the event loop that uses it."""
        ...

    def stored(self) -> list[list[bytes]]:
        """The values in the topic, by stream partition, in their order."""
        ...

    def go_away(self) -> None: ...

    def come_back(self) -> None: ...


class InMemory:
    """The stream in memory."""

    def __init__(self) -> None:
        self.topic = "events"
        self._stream = MemoryStream((_topic(self.topic),))

    def writer(self) -> EventWriter:
        return MemoryWriter(self._stream)

    def stored(self) -> list[list[bytes]]:
        return [[record.value for record in log] for log in self._stream.logs.values()]

    def go_away(self) -> None:
        self._stream.available = False

    def come_back(self) -> None:
        self._stream.available = True


class InMemoryAndSpool(InMemory):
    """The stream in memory behind the collector's disk spool; with no bytes for it, it must refuse as any other."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        super().__init__()
        self._spool = SpoolFolder(folder, most_bytes)

    def writer(self) -> EventWriter:
        memory = super().writer()
        return DurableWriter(memory, self._spool, kafka_up=memory.healthy, queue_records=100, queue_bytes=1_000_000)


@dataclass
class InKafka:
    """A topic of its own on a real broker."""

    kafka: RunningKafka
    topic: str

    def writer(self) -> EventWriter:
        return KafkaWriter(
            self.kafka.cluster,
            delivery_seconds=DEADLINE_SECONDS,
            queue_records=10_000,
            queue_bytes=10_000_000,
        )

    def stored(self) -> list[list[bytes]]:
        return stored_in_kafka(self.kafka.bootstrap_servers, self.topic)

    def go_away(self) -> None:
        self.kafka.kill()

    def come_back(self) -> None:
        self.kafka.start()


def _topic(name: str) -> Topic:
    return Topic(name, partitions=3, retention=timedelta(days=1), max_record_bytes=1_000_000)


def stored_in_kafka(bootstrap_servers: str, topic: str) -> list[list[bytes]]:
    """All values of a topic, by stream partition, in their order."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "test", "enable.auto.commit": False})
    try:
        numbers = sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        stored = []
        for number in numbers:
            place = TopicPartition(topic, number, OFFSET_BEGINNING)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            values: list[bytes] = []
            while len(values) < end:
                values += [value for record in consumer.consume(1000, 1.0) if (value := record.value()) is not None]
            stored.append(values)
        return stored
    finally:
        consumer.close()


def _in_kafka(kafka: RunningKafka) -> InKafka:
    topic = f"writer-{uuid.uuid4().hex}"
    ensure_topics(kafka.cluster, (_topic(topic),), 20)
    return InKafka(kafka, topic)


@pytest.fixture(params=["memory", "memory and spool", pytest.param("kafka", marks=pytest.mark.kafka)])
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Stream:
    if request.param == "kafka":
        return _in_kafka(request.getfixturevalue("kafka"))
    return InMemory() if request.param == "memory" else InMemoryAndSpool(tmp_path, 1_000_000)


@pytest.fixture(params=["memory", "memory and spool", pytest.param("kafka", marks=pytest.mark.kafka)])
def mortal_stream(request: pytest.FixtureRequest, tmp_path: Path) -> Stream:
    """One that may go away."""
    if request.param == "kafka":
        return _in_kafka(request.getfixturevalue("own_kafka"))
    return InMemory() if request.param == "memory" else InMemoryAndSpool(tmp_path, 0)


def writing(stream: Stream, scenario: Callable[[EventWriter], Awaitable[None]]) -> None:
    """Runs a scenario with a new writer."""

    async def run() -> None:
        writer = stream.writer()
        try:
            await scenario(writer)
        finally:
            await writer.close(1)

    asyncio.run(run())


def records(stream: Stream, *values: str, key: bytes | None = b"one") -> list[OutgoingRecord]:
    return [OutgoingRecord(stream.topic, key, value.encode()) for value in values]


async def until(look: Callable[[], bool], seconds: float) -> None:
    """Waits for it."""

    async def poll() -> None:
        while not look():  # noqa: ASYNC110 - what is looked at sets no event
            await asyncio.sleep(0.02)

    await asyncio.wait_for(poll(), seconds)


async def accepted(writer: EventWriter, sent: Sequence[OutgoingRecord]) -> None:
    """Writes until it is taken: a broker that has just begun may need longer than the deadline."""
    async with asyncio.timeout(60):
        while any(await writer.write(sent)):
            pass


def test_what_is_acknowledged_is_stored(stream: Stream) -> None:
    async def scenario(writer: EventWriter) -> None:
        assert list(await writer.write(records(stream, "a", "b"))) == [None, None]

    writing(stream, scenario)
    assert sorted(value for log in stream.stored() for value in log) == [b"a", b"b"]


def test_records_of_one_key_stay_in_order(stream: Stream) -> None:
    expected = [f"{number}" for number in range(200)]

    async def scenario(writer: EventWriter) -> None:
        writes = [writer.write(records(stream, value)) for value in expected]
        assert [result for write in writes for result in await write] == [None] * len(expected)

    writing(stream, scenario)
    (log,) = [log for log in stream.stored() if log]
    assert log == [value.encode() for value in expected]


def test_nothing_to_write_is_done_at_once(stream: Stream) -> None:
    async def scenario(writer: EventWriter) -> None:
        assert list(await writer.write([])) == []

    writing(stream, scenario)


def test_a_reachable_broker_is_healthy(stream: Stream) -> None:
    async def scenario(writer: EventWriter) -> None:
        await until(writer.healthy, 10)

    writing(stream, scenario)


def test_closing_waits_for_what_is_under_way(stream: Stream) -> None:
    async def scenario(writer: EventWriter) -> None:
        write = asyncio.ensure_future(_result(writer.write(records(stream, "a"))))
        await asyncio.sleep(0)
        await writer.close(10)
        assert await write == [None]

    writing(stream, scenario)


def test_what_is_not_stored_is_refused_in_time_and_the_broker_is_used_again_when_it_is_back(
    mortal_stream: Stream,
) -> None:
    async def scenario(writer: EventWriter) -> None:
        await accepted(writer, records(mortal_stream, "before"))
        await asyncio.to_thread(mortal_stream.go_away)
        await until(lambda: not writer.healthy(), 10)
        async with asyncio.timeout(DEADLINE_SECONDS + 1):
            refused = await writer.write(records(mortal_stream, "during", "during"))
        assert [type(result) for result in refused] == [WriteRefused, WriteRefused]
        await asyncio.to_thread(mortal_stream.come_back)
        await until(writer.healthy, 20)
        await accepted(writer, records(mortal_stream, "after"))

    writing(mortal_stream, scenario)
    stored = {value for log in mortal_stream.stored() for value in log}
    assert {b"before", b"after"} <= stored


async def _result(write: Awaitable[Any]) -> list[Any]:
    return list(await write)


@pytest.mark.kafka
def test_a_full_queue_refuses_what_does_not_fit_and_nothing_else(kafka: RunningKafka) -> None:
    topic = f"queue-{uuid.uuid4()}"
    ensure_topics(kafka.cluster, (_topic(topic),), 30)
    sent = [OutgoingRecord(topic, b"key", b"%d" % number) for number in range(5)]

    async def scenario() -> list[WriteRefused | None]:
        writer = KafkaWriter(kafka.cluster, delivery_seconds=30, queue_records=3, queue_bytes=2**20)
        results = list(await writer.write(sent))
        await writer.close(10)
        return results

    results = asyncio.run(scenario())
    stored = {value for log in stored_in_kafka(kafka.bootstrap_servers, topic) for value in log}
    assert [result is None for result in results] == [record.value in stored for record in sent]
    assert [str(result) for result in results if result is not None] == ["the queue to Kafka is full"] * 2
