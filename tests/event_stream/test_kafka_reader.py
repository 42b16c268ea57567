"""What is the Kafka reader's own; the contract is in test_reader_contract.py."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_reader import KafkaReader
from event_stream.topics import Topic
from logektor.embedded_kafka import free_port

SECONDS = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(clock: Clock) -> Iterator[KafkaReader]:
    """One whose Kafka is away."""
    reader = KafkaReader(
        KafkaCluster(f"127.0.0.1:{free_port()}"),
        [Topic("events", 1, timedelta(days=1), 1_000_000)],
        "group",
        lambda places: {},
        lambda places: None,
        now=clock,
    )
    yield reader
    reader.close()


def read_until(reader: KafkaReader, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        assert reader.read(10, 0.1) == []


def test_a_trouble_that_lasts_is_said_again_only_after_a_while(
    reader: KafkaReader, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    read_until(reader, lambda: clock.asked >= 10)
    assert any("Connection refused" in message for message in caplog.messages)
    # A connection that failed, and no broker that answers.
    assert len(caplog.messages) <= 2
    said = len(caplog.messages)
    clock.now += 10
    read_until(reader, lambda: len(caplog.messages) > said)
