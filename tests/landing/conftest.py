"""A broker, topics and worker processes for the tests of the landing process."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, Event
from event_stream.kafka_ends import read_ends
from event_stream.kafka_reader import wait_for_topics
from event_stream.kafka_topics import ensure_topics
from event_stream.ports import StreamPartition
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED
from lake.audit import audit
from lake.location import Lake
from lake.raw import count_landed, scan_raw_events
from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port
from tests.conftest import RunningKafka

SECONDS = 60.0


def wait_until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.05)


@dataclass
class Site:
    """Topics, a lake and the workers between them; counts what it has produced."""

    bootstrap_servers: str
    home: Path
    event_ids: list[str] = field(default_factory=list)
    dead_letters: int = 0
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        self._producer = Producer({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    def make_topics_anew(self) -> None:
        """Topics that no other test has written to."""
        names = [EVENTS.name, REJECTED.name]
        existing = [name for name in names if name in self.admin.list_topics(timeout=SECONDS).topics]
        for deleted in self.admin.delete_topics(existing).values() if existing else ():
            deleted.result()
        wait_until(lambda: not set(names) & set(self.admin.list_topics(timeout=SECONDS).topics))
        ensure_topics(self.bootstrap_servers, [EVENTS, REJECTED], SECONDS)
        wait_for_topics(self.bootstrap_servers, [EVENTS, REJECTED], SECONDS)

    def produce(self, count: int, poison_every: int = 0) -> None:
        """Events with ids of their own; every n-th also brings a record that is none and a rejection."""
        for number in range(count):
            event_id = uuid.uuid4().hex
            self.event_ids.append(event_id)
            self._send(EVENTS.name, _event(event_id))
            if poison_every and number % poison_every == 0:
                self._send(EVENTS.name, b"poison")
                rejection = Rejection.of(b"{", reason="undecodable", detail="no JSON", received_at=0)
                self._send(REJECTED.name, encode_rejection(rejection))
                self.dead_letters += 2
        assert self._producer.flush(SECONDS) == 0

    def _send(self, topic: str, value: bytes) -> None:
        self._producer.produce(topic, value, key=uuid.uuid4().bytes)
        self._producer.poll(0)

    def ends(self) -> Mapping[StreamPartition, int]:
        """The offset that the next event will have, by stream partition."""
        return read_ends(self.bootstrap_servers, [EVENTS], SECONDS)

    def start(self, *module: str, **settings: object) -> "subprocess.Popen[bytes]":
        """A worker process; settings as LOGEKTOR_LANDING_*, the module is the worker's own by default."""
        told = {
            "LOGEKTOR_HOME": str(self.home),
            "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            **{f"LOGEKTOR_LANDING_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.home.mkdir(parents=True, exist_ok=True)
        with self._log(len(self.workers)).open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *(module or ("pipelines.landing",))],
                env=os.environ | told,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def _log(self, number: int) -> Path:
        return self.home / f"worker-{number}.log"

    def said(self, worker: "subprocess.Popen[bytes]") -> str:
        """What a worker has written to stderr."""
        return self._log(self.workers.index(worker)).read_text()

    def kill_workers(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                worker.wait()

    def waiting(self) -> int:
        """Records that the worker has read and not landed, as its sign of life says."""
        try:
            facts: dict[str, int] = json.loads((self.home / "landing.json").read_text())
        except FileNotFoundError:
            return 0
        return facts["waiting"]

    def landed(self) -> int:
        return sum(count_landed(self.lake).values())

    def wait_for_landed(self, count: int) -> None:
        wait_until(lambda: self.landed() >= count)

    @property
    def produced(self) -> int:
        return len(self.event_ids) + self.dead_letters

    def assert_each_is_landed_once(self) -> None:
        """Waits until as much is landed as was produced, then compares event by event."""
        self.wait_for_landed(self.produced)
        result = audit(self.lake)
        assert result.exact, result
        assert sum(partition.dead_letters for partition in result.partitions) == self.dead_letters
        ids = scan_raw_events(self.lake).select(pl.col("event_id").sort()).collect()["event_id"].to_list()
        assert ids == sorted(self.event_ids)


def _event(event_id: str) -> bytes:
    return encode_event(
        Event(
            event_id=event_id,
            site="example.com",
            action="pageview",
            object_type="visitor",
            occurred_at=1_795_501_430_000_000,
            received_at=1_795_501_430_000_000,
            url="https://example.com/some/page",
            ingest_version=INGEST_VERSION,
        )
    )


@pytest.fixture(scope="session")
def landing_kafka(kafka_distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """A broker whose topics of the real names belong to the tests in this folder."""
    broker = EmbeddedKafka(kafka_distribution, tmp_path_factory.mktemp("landing-kafka"), free_port())
    running = RunningKafka(broker.bootstrap_servers, broker)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def site(landing_kafka: RunningKafka, tmp_path: Path) -> Iterator[Site]:
    site = Site(landing_kafka.bootstrap_servers, tmp_path / "home")
    site.make_topics_anew()
    yield site
    site.kill_workers()
