from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from event_stream import kafka_ends
from event_stream.errors import BrokerAway
from event_stream.kafka_ends import read_ends, read_ranges
from event_stream.kafka_topics import ensure_topics
from event_stream.topics import EVENTS, Topic
from tests.conftest import RunningKafka

pytestmark = pytest.mark.kafka


def test_the_ends_are_one_past_the_last_record_of_each_stream_partition(kafka: RunningKafka) -> None:
    topic = Topic(f"ends-{uuid4()}", 2, EVENTS.retention, EVENTS.max_record_bytes)
    ensure_topics(kafka.cluster, [topic], 10)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for _ in range(3):
        producer.produce(topic.name, b"x", partition=1)
    assert producer.flush(10) == 0
    ends = read_ends(kafka.cluster, [topic], 5.0)
    assert {place.partition: end for place, end in ends.items()} == {0: 0, 1: 3}
    assert {place.topic for place in ends} == {topic.name}
    assert len({place.stream_id for place in ends}) == 1


def test_a_topic_whose_leader_is_not_known_is_asked_for_again_for_a_while(
    kafka: RunningKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = Topic(f"ends-{uuid4()}", 1, EVENTS.retention, EVENTS.max_record_bytes)
    ensure_topics(kafka.cluster, [topic], 10)
    real, asked = kafka_ends._ranges, []

    def not_yet(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) < 3:
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        return real(*arguments)

    monkeypatch.setattr(kafka_ends, "_ranges", not_yet)
    assert list(read_ranges(kafka.cluster, [topic], 30.0).values()) == [(0, 0)]
    asked.clear()
    with pytest.raises(BrokerAway):
        read_ranges(kafka.cluster, [topic], 0.0)
