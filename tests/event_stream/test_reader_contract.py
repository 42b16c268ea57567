"""What every EventReader promises, on the stream in memory and on a real Kafka."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from event_stream.errors import BrokerAway, OffsetLost, StreamBroken
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_reader import KafkaReader, wait_for_topics
from event_stream.kafka_topics import ensure_topics
from event_stream.memory import MemoryReader, MemoryStream
from event_stream.ports import EventReader, NextOffsets, OnAssign, OnRevoke, OutgoingRecord, Record, StreamPartition
from event_stream.topics import Topic
from tests.conftest import RunningKafka

SECONDS = 30.0
PARTITIONS = 2


class Stream(Protocol):
    """A stream with one topic of two stream partitions, whose reader is under test."""

    def produce(self, values: Sequence[bytes]) -> None:
        """Puts each value on both stream partitions."""
        ...

    def reader(self, on_assign: OnAssign, on_revoke: OnRevoke) -> EventReader:
        """One more member of the group."""
        ...

    def committed(self) -> Mapping[int, int]: ...

    def expire(self, first_offset: int) -> None: ...

    def recreate(self) -> None: ...


class InMemory:
    """The stream in memory."""

    def __init__(self) -> None:
        self._topic = Topic("events", PARTITIONS, timedelta(days=1), 1_000_000)
        self._stream = MemoryStream([self._topic])

    def produce(self, values: Sequence[bytes]) -> None:
        for value in values:
            for _ in range(PARTITIONS):
                # Without a key the stream partitions take turns.
                self._stream.append(OutgoingRecord(self._topic.name, None, value))

    def reader(self, on_assign: OnAssign, on_revoke: OnRevoke) -> EventReader:
        return MemoryReader(self._stream, on_assign, on_revoke)

    def committed(self) -> Mapping[int, int]:
        return {place.partition: offset for place, offset in self._stream.committed.items()}

    def expire(self, first_offset: int) -> None:
        self._stream.expire(self._topic.name, first_offset)

    def recreate(self) -> None:
        self._stream.recreate(self._topic.name)


class OnKafka:
    """A topic of its own on a real broker."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._topic = Topic(f"events-{uuid.uuid4().hex[:8]}", PARTITIONS, timedelta(days=1), 1_000_000)
        self._admin = AdminClient({**cluster.client, "log_level": 0})
        self._create()

    def _create(self) -> None:
        ensure_topics(self._cluster, [self._topic], SECONDS)
        wait_for_topics(self._cluster, [self._topic], SECONDS)

    def produce(self, values: Sequence[bytes]) -> None:
        producer = Producer(self._cluster.client)
        for value in values:
            for partition in range(PARTITIONS):
                producer.produce(self._topic.name, value, partition=partition)
        assert producer.flush(SECONDS) == 0

    def reader(self, on_assign: OnAssign, on_revoke: OnRevoke) -> EventReader:
        return KafkaReader(self._cluster, [self._topic], self._topic.name, on_assign, on_revoke)

    def committed(self) -> Mapping[int, int]:
        (group,) = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self._topic.name)]).values()
        return {place.partition: place.offset for place in group.result().topic_partitions}

    def expire(self, first_offset: int) -> None:
        below = [TopicPartition(self._topic.name, number, first_offset) for number in range(PARTITIONS)]
        for deleted in self._admin.delete_records(below).values():
            deleted.result()

    def recreate(self) -> None:
        self._admin.delete_topics([self._topic.name])[self._topic.name].result()
        wait_until(lambda: self._topic.name not in self._admin.list_topics(timeout=SECONDS).topics)
        self._create()


class Member:
    """A member of the group that writes down what happens to it; `landed` is where it starts, by partition number."""

    def __init__(self, stream: Stream, landed: Mapping[int, int] | None = None) -> None:
        self.landed = landed or {}
        self.assigned: list[StreamPartition] = []
        self.records: list[Record] = []
        self._reader = stream.reader(self._on_assign, self._on_revoke)

    def _on_assign(self, places: Sequence[StreamPartition]) -> NextOffsets:
        self.assigned.extend(places)
        return {place: self.landed[place.partition] for place in places if place.partition in self.landed}

    def _on_revoke(self, places: Sequence[StreamPartition]) -> None:
        self.assigned = [place for place in self.assigned if place not in places]
        self.records = [record for record in self.records if record.place not in places]

    def read(self) -> None:
        self.records.extend(self._reader.read(1_000, 0.1))

    def commit(self, next_offsets: NextOffsets) -> None:
        self._reader.commit(next_offsets)

    def close(self) -> None:
        self._reader.close()

    def values(self, partition: int) -> list[bytes]:
        return [record.value for record in self.records if record.place.partition == partition]

    def offsets(self, partition: int) -> list[int]:
        return [record.offset for record in self.records if record.place.partition == partition]


def wait_until(holds: Callable[[], bool], between: Callable[[], object] = lambda: time.sleep(0.02)) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "not within the deadline"
        between()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def stream(request: pytest.FixtureRequest) -> Stream:
    if request.param == "memory":
        return InMemory()
    kafka: RunningKafka = request.getfixturevalue("kafka")
    return OnKafka(kafka.cluster)


@pytest.fixture
def members(stream: Stream) -> Iterator[list[Member]]:
    joined: list[Member] = []
    yield joined
    for member in joined:
        with suppress(StreamBroken):
            member.close()


def values(first: int, end: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, end)]


def test_reading_starts_where_on_assign_says_and_else_at_the_beginning(stream: Stream, members: list[Member]) -> None:
    stream.produce(values(0, 10))
    member = Member(stream, landed={1: 7})
    members.append(member)
    wait_until(lambda: len(member.records) >= 13, member.read)
    assert sorted(place.partition for place in member.assigned) == [0, 1]
    assert member.values(0) == values(0, 10)
    assert member.values(1) == values(7, 10)
    assert member.offsets(1) == [7, 8, 9]


def test_what_was_committed_does_not_move_the_start(stream: Stream, members: list[Member]) -> None:
    stream.produce(values(0, 10))
    first = Member(stream)
    members.append(first)
    wait_until(lambda: len(first.records) >= 20, first.read)
    first.commit(dict.fromkeys(first.assigned, 9))
    wait_until(lambda: stream.committed() == {0: 9, 1: 9}, first.read)
    first.close()
    members.remove(first)
    second = Member(stream, landed={0: 4, 1: 4})
    members.append(second)
    wait_until(lambda: len(second.records) >= 12, second.read)
    assert second.offsets(0) == second.offsets(1) == list(range(4, 10))


def test_members_share_the_stream_partitions_and_take_over(stream: Stream, members: list[Member]) -> None:
    stream.produce(values(0, 5))
    one = Member(stream)
    members.append(one)
    wait_until(lambda: len(one.assigned) == 2, one.read)
    two = Member(stream)
    members.append(two)

    def read_both() -> None:
        one.read()
        two.read()

    wait_until(lambda: len(one.assigned) == len(two.assigned) == 1, read_both)
    assert {place.partition for place in one.assigned + two.assigned} == {0, 1}
    stream.produce(values(5, 10))
    wait_until(lambda: len(one.records) == len(two.records) == 10, read_both)
    assert one.offsets(one.assigned[0].partition) == list(range(10))
    assert two.offsets(two.assigned[0].partition) == list(range(10))
    two.close()
    members.remove(two)
    assert two.assigned == []
    wait_until(lambda: len(one.records) == 20, one.read)
    assert one.offsets(0) == one.offsets(1) == list(range(10))


def test_a_record_keeps_its_bytes_place_and_time(stream: Stream, members: list[Member]) -> None:
    stream.produce([b"\x00\xff" * 100, b""])
    member = Member(stream)
    members.append(member)
    wait_until(lambda: len(member.records) == 4, member.read)
    first, empty = [record for record in member.records if record.place.partition == 0]
    assert (first.value, empty.value) == (b"\x00\xff" * 100, b"")
    assert "/" in first.place.stream_id
    assert first.place.stream_id == empty.place.stream_id
    assert first.timestamp >= 0


def test_expired_records_stop_the_reader_with_a_sentence(stream: Stream, members: list[Member]) -> None:
    stream.produce(values(0, 10))
    stream.expire(5)
    member = Member(stream, landed={0: 3, 1: 8})
    members.append(member)
    with pytest.raises(OffsetLost, match=r"\[0\].*is not in the"):
        wait_until(lambda: False, member.read)
    assert member.values(0) == []


def test_progress_beyond_the_end_stops_the_reader_with_a_sentence(stream: Stream, members: list[Member]) -> None:
    stream.produce(values(0, 10))
    member = Member(stream, landed={0: 10, 1: 11})
    members.append(member)
    with pytest.raises(OffsetLost, match=r"\[1\].*is not in the"):
        wait_until(lambda: False, member.read)


def test_a_topic_made_anew_is_not_taken_for_the_old_one(stream: Stream, members: list[Member]) -> None:
    stream.produce(values(0, 10))
    member = Member(stream)
    members.append(member)
    wait_until(lambda: len(member.records) == 20, member.read)
    old = member.assigned[0].stream_id
    stream.recreate()
    stream.produce(values(100, 150))
    with pytest.raises(OffsetLost):
        wait_until(lambda: False, member.read)
    assert all(int(record.value) < 10 for record in member.records)
    another = Member(stream)
    members.append(another)
    member.close()
    members.remove(member)
    wait_until(lambda: len(another.records) == 100, another.read)
    assert another.assigned[0].stream_id != old
    assert another.values(0) == another.values(1) == values(100, 150)


def test_an_error_in_a_callback_reaches_the_reader(stream: Stream, members: list[Member]) -> None:
    class LakeGone(Exception):
        pass

    def fail(places: Sequence[StreamPartition]) -> NextOffsets:
        raise LakeGone

    reader = stream.reader(fail, lambda places: None)
    with pytest.raises(LakeGone):
        wait_until(lambda: False, lambda: reader.read(10, 0.1))
    with suppress(Exception):
        reader.close()


@pytest.mark.kafka
def test_topics_that_never_come_are_waited_for_and_then_named(kafka: RunningKafka) -> None:
    missing = Topic(f"missing-{uuid.uuid4().hex[:8]}", 1, timedelta(days=1), 1_000)
    with pytest.raises(BrokerAway, match=f"did not offer the topics {missing.name}"):
        wait_for_topics(kafka.cluster, [missing], 0.5)
