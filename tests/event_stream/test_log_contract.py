"""What every SharedLog promises, on the stream in memory and on a real Kafka."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from event_stream.errors import WriteRefused
from event_stream.kafka_log import KafkaLog
from event_stream.kafka_topics import ensure_topics
from event_stream.memory import MemoryLog, MemoryStream
from event_stream.ports import SharedLog
from event_stream.topics import SALTS, Topic
from tests.conftest import RunningKafka

SECONDS = 60


def topic_of_its_own() -> Topic:
    return Topic(
        f"log-{uuid.uuid4().hex}", SALTS.partitions, SALTS.retention, SALTS.max_record_bytes, segment=SALTS.segment
    )


class Place(Protocol):
    """A topic that some read and write."""

    def log(self) -> SharedLog:
        """Somebody else's."""
        ...

    def go_away(self) -> None: ...

    def come_back(self) -> None: ...

    def close(self) -> None: ...


class InMemory:
    """The stream in memory."""

    def __init__(self) -> None:
        self._stream = MemoryStream((SALTS,))

    def log(self) -> SharedLog:
        return MemoryLog(self._stream, SALTS)

    def go_away(self) -> None:
        self._stream.available = False

    def come_back(self) -> None:
        self._stream.available = True

    def close(self) -> None: ...


@dataclass
class InKafka:
    """A topic on a real broker."""

    kafka: RunningKafka
    topic: Topic = field(default_factory=topic_of_its_own)
    logs: list[KafkaLog] = field(default_factory=list)

    def __post_init__(self) -> None:
        ensure_topics(self.kafka.cluster, (self.topic,), SECONDS)

    def log(self) -> SharedLog:
        self.logs.append(KafkaLog(self.kafka.cluster, self.topic))
        return self.logs[-1]

    def go_away(self) -> None:
        self.kafka.kill()

    def come_back(self) -> None:
        self.kafka.start()

    def close(self) -> None:
        for log in self.logs:
            log.close()


def _place(request: pytest.FixtureRequest, kafka: str) -> Iterator[Place]:
    place: Place = InMemory() if request.param == "memory" else InKafka(request.getfixturevalue(kafka))
    yield place
    place.close()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from _place(request, "kafka")


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def mortal_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One that may go away."""
    yield from _place(request, "own_kafka")


def until_read(log: SharedLog, records: int) -> list[bytes]:
    """Reads until the end; there must be so many by then."""
    values: list[bytes] = []

    def read() -> bool:
        values.extend(log.read())
        return log.is_read() and len(values) >= records

    until(read)
    return values


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def now() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def append(*appends: tuple[SharedLog, bytes]) -> Sequence[WriteRefused | None]:
    """All at the same time."""

    async def one(append: Awaitable[None]) -> WriteRefused | None:
        try:
            await append
        except WriteRefused as refusal:
            return refusal
        return None

    async def run() -> list[WriteRefused | None]:
        return await asyncio.gather(*(one(log.append(value, now())) for log, value in appends))

    return asyncio.run(run())


def test_an_empty_log_is_read(place: Place) -> None:
    assert until_read(place.log(), 0) == []


def test_everybody_reads_all_of_it_from_the_beginning_and_once(place: Place) -> None:
    writer, other = place.log(), place.log()
    for value in (b"1", b"2", b"3"):
        assert append((writer, value)) == [None]
    assert until_read(writer, 3) == until_read(other, 3) == until_read(place.log(), 3) == [b"1", b"2", b"3"]
    assert list(writer.read()) == []


def test_what_follows_is_read_too(place: Place) -> None:
    reader, writer = place.log(), place.log()
    assert until_read(reader, 0) == []
    append((writer, b"1"))
    assert until_read(reader, 1) == [b"1"]
    append((writer, b"2"))
    assert until_read(reader, 1) == [b"2"]


def test_of_two_that_write_at_once_all_see_the_same_first(place: Place) -> None:
    one, other = place.log(), place.log()
    assert append((one, b"one"), (other, b"other")) == [None, None]
    seen = until_read(one, 2)
    assert sorted(seen) == [b"one", b"other"]
    assert seen == until_read(other, 2) == until_read(place.log(), 2)


def test_it_is_not_read_before_ones_own_record_is(place: Place) -> None:
    log = place.log()
    until_read(log, 0)
    append((log, b"1"))
    assert not log.is_read()
    assert until_read(log, 1) == [b"1"]


def test_it_goes_on_where_the_broker_was_away(mortal_place: Place) -> None:
    reader, writer = mortal_place.log(), mortal_place.log()
    append((writer, b"before"))
    assert until_read(reader, 1) == [b"before"]
    mortal_place.go_away()
    (refusal,) = append((writer, b"during"))
    assert isinstance(refusal, WriteRefused)
    assert list(reader.read()) == []
    mortal_place.come_back()
    assert append((writer, b"after")) == [None]
    assert [value for value in until_read(reader, 1) if value != b"during"] == [b"after"]
