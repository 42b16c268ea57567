from uuid import uuid4

import pytest
from confluent_kafka import Producer

from event_stream.kafka_ends import read_ends
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
