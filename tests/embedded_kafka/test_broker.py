import uuid

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.conftest import RunningKafka

pytestmark = pytest.mark.kafka


def create_topic(bootstrap_servers: str) -> str:
    name = f"test-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    [created] = admin.create_topics([NewTopic(name, 1, 1)]).values()
    created.result(10)
    return name


def produce(bootstrap_servers: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all", "linger.ms": 1})
    failures: list[object] = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(10) == 0
    assert failures == []


def consume(bootstrap_servers: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    values = [message.value() or b"" for message in consumer.consume(count, timeout=20)]
    consumer.close()
    return values


def test_what_was_acknowledged_survives_a_killed_broker(own_kafka: RunningKafka) -> None:
    topic = create_topic(own_kafka.bootstrap_servers)
    values = [f"{number}".encode() for number in range(1_000)]
    produce(own_kafka.bootstrap_servers, topic, values)
    own_kafka.kill()
    own_kafka.start()
    assert consume(own_kafka.bootstrap_servers, topic, 1_000) == values


def test_a_consumer_group_reads_what_was_produced(kafka: RunningKafka) -> None:
    topic = create_topic(kafka.bootstrap_servers)
    produce(kafka.bootstrap_servers, topic, [b"one", b"two"])
    assert consume(kafka.bootstrap_servers, topic, 2) == [b"one", b"two"]
