"""What a broker makes of a topic's retention: an expired record is gone from its disk, not only from its readers."""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from event_stream.kafka_topics import ensure_topics
from event_stream.topics import SALTS
from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port
from tests.conftest import RunningKafka

pytestmark = pytest.mark.kafka

SECONDS = 60
HOUR = 3_600_000
"""In milliseconds."""


class Impatient(EmbeddedKafka):
    """A broker that looks for what has expired all the time, not every five minutes."""

    def __init__(self, distribution: Distribution, folder: Path) -> None:
        super().__init__(distribution, folder, free_port())
        self._properties_file = folder / "server.properties"

    def prepare(self) -> None:
        super().prepare()
        with self._properties_file.open("a") as properties:
            properties.write("log.retention.check.interval.ms=200\nlog.initial.task.delay.ms=200\n")


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_each_salt_leaves_the_brokers_disk_when_its_own_72_hours_are_over(
    kafka_distribution: Distribution, tmp_path: Path
) -> None:
    broker = Impatient(kafka_distribution, tmp_path)
    kafka = RunningKafka(broker.bootstrap_servers, broker)
    topic = replace(SALTS, name=f"salts-{uuid.uuid4().hex}")
    kafka.start()
    try:
        ensure_topics(kafka.cluster, (topic,), SECONDS)
        now = time.time_ns() // 1_000_000
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        for age in (96, 73, 49, 25, 1):
            producer.produce(topic.name, f"salt of {age} hours ago".encode(), timestamp=now - age * HOUR)
            assert producer.flush(SECONDS) == 0
        consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "unused"})
        place = TopicPartition(topic.name, 0)
        until(lambda: consumer.get_watermark_offsets(place, timeout=SECONDS) == (2, 5))
        consumer.close()
        segments = list((tmp_path / "storage" / f"{topic.name}-0").glob("*.log"))
        on_disk = b"".join(segment.read_bytes() for segment in segments)
        assert [age for age in (96, 73, 49, 25, 1) if f"salt of {age} hours ago".encode() in on_disk] == [49, 25, 1]
    finally:
        kafka.stop()
