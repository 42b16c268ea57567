"""A broker, topics and worker processes for the tests of the landing process."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from deltalake import DeltaTable

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, Event
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_ends import read_ends
from event_stream.kafka_reader import wait_for_topics
from event_stream.kafka_topics import ensure_topics
from event_stream.ports import StreamPartition
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED
from lake.audit import audit
from lake.location import Lake
from lake.raw import count_landed
from lake.raw_schema import DEAD_LETTER, EVENT, TABLE
from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port
from tests.conftest import RunningKafka
from tests.fault_table import LandingFault

SECONDS = 60.0


def wait_until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.05)


@dataclass
class Site:
    """Topics, a lake and the workers between them; knows every record that it has produced by a mark of its own."""

    bootstrap_servers: str
    home: Path
    sent: dict[str, str | None] = field(default_factory=dict)
    """By mark the kind of row that the record must become; None where that depends on who lands it."""
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    group: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        self._producer = Producer({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    @property
    def cluster(self) -> KafkaCluster:
        return KafkaCluster(self.bootstrap_servers)

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
        ensure_topics(self.cluster, [EVENTS, REJECTED], SECONDS)
        wait_for_topics(self.cluster, [EVENTS, REJECTED], SECONDS)

    def produce(self, count: int, poison_every: int = 0, version_2_every: int = 0) -> None:
        """Events; every n-th also brings a record that is none and a rejection, or is of a version not read yet."""
        for number in range(count):
            if version_2_every and number % version_2_every == 0:
                self._send(EVENTS.name, lambda mark: _event(mark).replace(_VERSION_1, _VERSION_2), None)
            else:
                self._send(EVENTS.name, _event, EVENT)
            if poison_every and number % poison_every == 0:
                self._send(EVENTS.name, lambda mark: b"poison " + mark.encode(), DEAD_LETTER)
                self._send(REJECTED.name, _rejection, DEAD_LETTER)
        assert self._producer.flush(SECONDS) == 0

    def _send(self, topic: str, value: Callable[[str], bytes], kind: str | None) -> None:
        mark = uuid.uuid4().hex
        self._producer.produce(topic, value(mark), key=mark)
        self._producer.poll(0)
        self.sent[mark] = kind

    @contextmanager
    def load(self, poison_every: int = 50) -> Iterator[None]:
        """Produces without pause until the block ends."""
        stopping = threading.Event()

        def run() -> None:
            while not stopping.is_set():
                self.produce(200, poison_every)
                stopping.wait(0.05)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def ends(self) -> Mapping[StreamPartition, int]:
        """The offset that the next event will have, by stream partition."""
        return read_ends(self.cluster, [EVENTS], SECONDS)

    def start(self, *module: str, **settings: object) -> "subprocess.Popen[bytes]":
        """A worker process; settings as LOGEKTOR_LANDING_*, the module is the worker's own by default."""
        told = {
            "LOGEKTOR_HOME": str(self.home),
            "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "LOGEKTOR_LANDING_GROUP": self.group,
            **{f"LOGEKTOR_LANDING_{name.upper()}": str(value) for name, value in settings.items()},
        }
        with self._log(len(self.workers)).open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *(module or ("pipelines.landing",))],
                env=os.environ | told,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def _log(self, number: int) -> Path:
        return self.home.parent / f"worker-{number}.log"

    def said(self, worker: "subprocess.Popen[bytes]") -> str:
        """What a worker has written to stderr."""
        return self._log(self.workers.index(worker)).read_text()

    def kill(self, worker: "subprocess.Popen[bytes]") -> None:
        """SIGKILL."""
        worker.send_signal(signal.SIGKILL)
        worker.wait(SECONDS)

    def stop(self, worker: "subprocess.Popen[bytes]") -> int:
        """SIGTERM; the exit code."""
        worker.send_signal(signal.SIGTERM)
        return worker.wait(SECONDS)

    def kill_workers(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)

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

    def count(self, fault: str) -> LandingFault:
        """Looks for every record in the table's files by its mark, without asking for offsets."""
        table = DeltaTable(self.lake.table_uri(TABLE), storage_options=dict(self.lake.storage_options))
        rows = table.to_pyarrow_table(columns=["kind", "event_id", "body"]).to_pylist()
        kinds = {_mark(row["event_id"] or row["body"].decode()): row["kind"] for row in rows}
        assert kinds.keys() <= self.sent.keys()
        assert {mark for mark, kind in kinds.items() if self.sent[mark] not in (kind, None)} == set()
        dead_letters = sum(row["kind"] == DEAD_LETTER for row in rows)
        return LandingFault(
            fault,
            sent=len(self.sent),
            landed=len(rows) - dead_letters,
            dead_letters=dead_letters,
            lost=len(self.sent.keys() - kinds.keys()),
            double=len(rows) - len(kinds),
        )

    def assert_each_is_landed_once(self) -> None:
        """Waits until as much is landed as was produced, then proves it twice: by the offsets and by the marks."""
        self.wait_for_landed(len(self.sent))
        result = audit(self.lake)
        assert result.exact, result
        found = self.count("")
        assert (found.lost, found.double) == (0, 0)


_VERSION_1, _VERSION_2 = b'"ingestVersion":1', b'"ingestVersion":2'


def _event(mark: str) -> bytes:
    return encode_event(
        Event(
            event_id=mark,
            site="example.com",
            action="pageview",
            object_type="visitor",
            occurred_at=1_795_501_430_000_000,
            received_at=1_795_501_430_000_000,
            url="https://example.com/some/page",
            ingest_version=INGEST_VERSION,
        )
    )


def _rejection(mark: str) -> bytes:
    body = b"{" + mark.encode()
    return encode_rejection(Rejection.of(body, reason="undecodable", detail="no JSON", received_at=0))


def _mark(text: str) -> str:
    found = re.search("[0-9a-f]{32}", text)
    assert found, text
    return found[0]


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
