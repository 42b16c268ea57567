"""The real collector as a process of its own, and what it has put on the stream."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from confluent_kafka import Consumer, TopicPartition

from event_stream.topics import Topic
from logektor.embedded_kafka import free_port
from sites import Site, register_site


@dataclass(frozen=True)
class RunningCollector:
    """`python -m ingest_api` with one registered site."""

    url: str
    site: Site
    bootstrap_servers: str

    def values_with(self, topic: Topic, text: bytes, count: int, seconds: float = 30.0) -> list[bytes]:
        """The first `count` record values that hold a text; fewer where they did not come in time."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "unused"})
        found: list[bytes] = []
        try:
            consumer.assign([TopicPartition(topic.name, number, 0) for number in range(topic.partitions)])
            deadline = time.monotonic() + seconds
            while len(found) < count and time.monotonic() < deadline:
                for message in consumer.consume(1_000, timeout=0.2):
                    value = message.value()
                    if message.error() is None and value is not None and text in value:
                        found.append(value)
        finally:
            consumer.close()
        return found


@contextmanager
def running_collector(home: Path, domain: str, bootstrap_servers: str) -> Iterator[RunningCollector]:
    """The collector, ready to take events of the site `domain`."""
    site = register_site(home / "sites.toml", domain)
    port = free_port()
    environment = {
        **os.environ,
        "LOGEKTOR_HOME": str(home),
        "LOGEKTOR_COLLECTOR_PORT": str(port),
        "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
    }
    collector = RunningCollector(f"http://127.0.0.1:{port}", site, bootstrap_servers)
    process = subprocess.Popen([sys.executable, "-m", "ingest_api"], env=environment)
    try:
        _wait_until(lambda: _is_ready(collector.url))
        yield collector
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


def _wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the collector is not ready"
        time.sleep(0.05)
