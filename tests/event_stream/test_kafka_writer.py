"""What only the writer to Kafka has: a queue, a hung broker, a broken producer."""

import asyncio
import signal
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from event_stream.errors import BrokerAway
from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_topics import differences, ensure_topics, find_topics
from event_stream.kafka_writer import KafkaWriter
from event_stream.ports import OutgoingRecord
from event_stream.topics import Topic
from logektor.embedded_kafka import free_port
from tests.conftest import RunningKafka
from tests.event_stream.test_writer_contract import stored_in_kafka, until

pytestmark = pytest.mark.kafka


def writer_to(cluster: KafkaCluster, *, delivery_seconds: float = 5.0, queue_records: int = 1_000) -> KafkaWriter:
    return KafkaWriter(cluster, delivery_seconds=delivery_seconds, queue_records=queue_records, queue_bytes=10_000_000)


def new_topic(kafka: RunningKafka) -> str:
    topic = Topic(f"writer-{uuid.uuid4().hex}", 2, timedelta(days=1), 1_000_000)
    ensure_topics(kafka.cluster, (topic,), 20)
    return topic.name


def record(topic: str, value: str) -> OutgoingRecord:
    return OutgoingRecord(topic, b"one", value.encode())


def test_a_full_queue_refuses_at_once_and_keeps_what_it_has() -> None:
    async def scenario() -> None:
        writer = writer_to(KafkaCluster(f"127.0.0.1:{free_port()}"), delivery_seconds=30, queue_records=2)
        waiting = writer.write([record("any", "1"), record("any", "2")])
        refused = await asyncio.wait_for(writer.write([record("any", "3")]), 1)
        assert "full" in str(refused[0])
        assert not waiting.done()
        await writer.close(0.1)
        assert None not in await waiting

    asyncio.run(scenario())


def test_a_hung_broker_is_not_waited_for_longer_than_the_deadline(own_kafka: RunningKafka) -> None:
    topic = new_topic(own_kafka)

    async def scenario() -> None:
        writer = writer_to(own_kafka.cluster, delivery_seconds=1.5)
        await written_at_last(writer, record(topic, "before"))
        own_kafka.processes[-1].send_signal(signal.SIGSTOP)
        try:
            results = await asyncio.wait_for(writer.write([record(topic, "during")]), 2.5)
            assert results[0] is not None
        finally:
            own_kafka.processes[-1].send_signal(signal.SIGCONT)
        await written_at_last(writer, record(topic, "after"))
        await writer.close(1)

    asyncio.run(scenario())
    values = [value for log in stored_in_kafka(own_kafka.bootstrap_servers, topic) for value in log]
    assert {b"before", b"after"} <= set(values)


def test_a_broken_producer_is_replaced(kafka: RunningKafka) -> None:
    topic = new_topic(kafka)

    async def scenario() -> None:
        writer = writer_to(kafka.cluster)
        assert await writer.write([record(topic, "before")]) == [None]
        under_way = writer.write([record(topic, "during")])
        # librdkafka has no way to make a fatal error on purpose that Python can reach.
        writer._on_error(KafkaError(KafkaError._FATAL, "made by the test", True))
        assert len(await asyncio.wait_for(under_way, 6)) == 1
        assert await writer.write([record(topic, "after")]) == [None]
        await writer.close(1)

    asyncio.run(scenario())


def test_a_topic_made_anew_is_written_to_without_a_restart(kafka: RunningKafka) -> None:
    topic = new_topic(kafka)

    async def scenario() -> None:
        writer = writer_to(kafka.cluster, delivery_seconds=2)
        for number in range(5):
            assert await writer.write([record(topic, str(number))]) == [None]
        await asyncio.to_thread(make_anew, kafka, topic)
        await written_at_last(writer, record(topic, "after"))
        await writer.close(1)

    asyncio.run(scenario())
    values = [value for log in stored_in_kafka(kafka.bootstrap_servers, topic) for value in log]
    assert b"after" in values


async def written_at_last(writer: KafkaWriter, outgoing: OutgoingRecord) -> None:
    """Sends it as a client does: again, after each refusal."""
    async with asyncio.timeout(30):
        while (await writer.write([outgoing])) != [None]:
            pass


def make_anew(kafka: RunningKafka, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(10)
    while topic in admin.list_topics(timeout=10).topics:
        pass
    ensure_topics(kafka.cluster, (Topic(topic, 2, timedelta(days=1), 1_000_000),), 20)


def test_topics_are_made_as_declared(kafka: RunningKafka) -> None:
    declared = Topic(
        f"topic-{uuid.uuid4().hex}",
        partitions=3,
        retention=timedelta(hours=2),
        max_record_bytes=123_456,
        segment=timedelta(hours=1),
        replication=1,
        min_insync=1,
        compression="zstd",
    )
    ensure_topics(kafka.cluster, (declared,), 20)
    found = find_topics(KafkaAdmin(kafka.cluster).client, [declared.name, "another"], 20)
    assert found.keys() == {declared.name}
    assert differences(declared, found[declared.name]) == []
    assert found[declared.name].config["max.message.bytes"] == "123456"
    assert (found[declared.name].in_sync, found[declared.name].without_leader) == (1, 0)


def test_a_topic_that_differs_is_told_and_left_alone(kafka: RunningKafka, caplog: pytest.LogCaptureFixture) -> None:
    declared = Topic(f"topic-{uuid.uuid4().hex}", partitions=3, retention=timedelta(hours=2), max_record_bytes=1_000)
    ensure_topics(kafka.cluster, (declared,), 20)
    ensure_topics(kafka.cluster, (declared,), 20)
    assert caplog.messages == []
    other = replace(declared, partitions=5, replication=3, retention=timedelta(hours=1))
    ensure_topics(kafka.cluster, (other,), 20)
    assert caplog.messages == [
        f"The topic {declared.name} stays as it is, which is not as set: partitions 3 (to be 5), "
        "replication 1 (to be 3), retention.ms 7200000 (to be 3600000)."
    ]
    found = find_topics(KafkaAdmin(kafka.cluster).client, [declared.name], 20)
    assert differences(declared, found[declared.name]) == []


def test_a_cluster_that_does_not_answer_is_named() -> None:
    cluster = KafkaCluster(f"127.0.0.1:{free_port()}")
    with pytest.raises(BrokerAway, match=str(cluster)):
        ensure_topics(cluster, (Topic("any", 1, timedelta(days=1), 1_000),), 0.5)


def test_an_unreachable_cluster_is_unhealthy() -> None:
    async def scenario() -> None:
        writer = writer_to(KafkaCluster(f"127.0.0.1:{free_port()}"))
        assert not writer.healthy()
        with pytest.raises(TimeoutError):
            await until(writer.healthy, 1.5)
        await writer.close(0)

    asyncio.run(scenario())
