import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from logektor.embedded_kafka import Distribution, EmbeddedKafka, FormatFailed, NotReady, free_port, wait_until_ready
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


def test_a_broker_comes_back_on_another_port_as_the_same_cluster(
    own_kafka: RunningKafka, kafka_distribution: Distribution, tmp_path: Path
) -> None:
    topic = create_topic(own_kafka.bootstrap_servers)
    produce(own_kafka.bootstrap_servers, topic, [b"kept"])
    cluster_id = AdminClient({"bootstrap.servers": own_kafka.bootstrap_servers}).list_topics(timeout=10).cluster_id
    own_kafka.stop()

    moved = EmbeddedKafka(kafka_distribution, tmp_path / "kafka", free_port())
    moved.prepare()
    process = subprocess.Popen(moved.command())
    try:
        wait_until_ready(moved.bootstrap_servers, 60)
        assert consume(moved.bootstrap_servers, topic, 1) == [b"kept"]
        admin = AdminClient({"bootstrap.servers": moved.bootstrap_servers})
        assert admin.list_topics(timeout=10).cluster_id == cluster_id
    finally:
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM


PREPARE = """
import sys
from pathlib import Path
from logektor.embedded_kafka import Distribution, EmbeddedKafka
java, folder, *jars = map(Path, sys.argv[1:])
EmbeddedKafka(Distribution(java, tuple(jars)), folder, 20000).prepare()
"""


def test_a_format_killed_half_way_is_done_again(kafka_distribution: Distribution, tmp_path: Path) -> None:
    paths = [kafka_distribution.java, tmp_path, *kafka_distribution.jars]
    killed = subprocess.Popen([sys.executable, "-c", PREPARE, *map(str, paths)], start_new_session=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "storage.unfinished").exists() and time.monotonic() < deadline:
        time.sleep(0.0005)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert (tmp_path / "storage.unfinished").exists()
    assert not (tmp_path / "storage").exists()

    EmbeddedKafka(kafka_distribution, tmp_path, free_port()).prepare()
    assert (tmp_path / "storage" / "meta.properties").exists()
    assert not (tmp_path / "storage.unfinished").exists()


def test_a_failed_format_says_why_in_kafkas_words(kafka_distribution: Distribution, tmp_path: Path) -> None:
    with pytest.raises(FormatFailed, match="Could not find or load main class"):
        EmbeddedKafka(Distribution(kafka_distribution.java, jars=()), tmp_path, free_port()).prepare()
    assert not (tmp_path / "storage").exists()


def test_a_broker_that_does_not_answer_is_reported_in_time() -> None:
    with pytest.raises(NotReady, match=r"within 0\.2 s"):
        wait_until_ready(f"127.0.0.1:{free_port()}", 0.2)
