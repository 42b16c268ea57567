"""The collector as a process of its own, and clients that send to it."""

import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from event_stream.codec import decode_event
from event_stream.topics import EVENTS
from logektor.embedded_kafka import free_port
from tests.conftest import RunningKafka
from tests.event_stream.test_writer_contract import stored_in_kafka
from tests.ingest_api.conftest import SEED, SITES


def until(look: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits for it."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


class CollectorProcess:
    """`python -m ingest_api` on a free port."""

    def __init__(self, home: Path, bootstrap_servers: str, **settings: str) -> None:
        home.mkdir(exist_ok=True)
        (home / "sites.toml").write_text(SITES)
        port = free_port()
        self.log = home / f"collector-{port}.log"
        self.url = f"http://127.0.0.1:{port}"
        told = {
            "LOGEKTOR_HOME": str(home),
            "LOGEKTOR_COLLECTOR_PORT": str(port),
            "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "LOGEKTOR_DEFAULT_SITE": "localhost",
            **settings,
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ingest_api"],
                env={**os.environ, **told},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.url.rsplit(":", 1)[1]))) == 0

    def metric(self, name: str) -> float:
        """The value of a metric that has no labels."""
        metrics = httpx.get(f"{self.url}/metrics", timeout=5).text
        return float(metrics.split(f"\n{name} ")[1].split()[0])

    def waiting(self) -> float:
        """How many requests wait for Kafka."""
        return self.metric("logektor_requests_waiting")

    def kafka_up(self) -> bool:
        return self.metric("logektor_kafka_up") == 1

    def workers(self) -> list[psutil.Process]:
        """The processes that take the requests."""
        return psutil.Process(self.process.pid).children()

    def worker(self) -> psutil.Process:
        """The only one of them."""
        (worker,) = self.workers()
        return worker

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        worker = self.worker()
        self.process.kill()
        worker.kill()
        self.process.wait()
        worker.wait(10)

    def track(self, event_id: str) -> int:
        """Sends the first payload with this id; answers the status."""
        body = {**SEED, "eventId": event_id}
        return httpx.post(f"{self.url}/track", json=body, timeout=20).status_code


@contextmanager
def running(home: Path, bootstrap_servers: str, **settings: str) -> Iterator[CollectorProcess]:
    """A collector that is ready, whether Kafka is there or not, and is stopped in the end."""
    collector = CollectorProcess(home, bootstrap_servers, **settings)
    try:
        until(collector.ready, 60, "the collector is ready")
        yield collector
    finally:
        if collector.process.poll() is None:
            collector.process.terminate()
            collector.process.wait(20)


@contextmanager
def collecting(home: Path, bootstrap_servers: str, **settings: str) -> Iterator[CollectorProcess]:
    """A collector that is ready and reaches Kafka, and is stopped in the end."""
    with running(home, bootstrap_servers, **settings) as collector:
        until(collector.kafka_up, 30, "the collector reaches Kafka")
        yield collector


def ids_in_kafka(kafka: RunningKafka) -> list[str]:
    logs = stored_in_kafka(kafka.bootstrap_servers, EVENTS.name)
    return [decode_event(value).event_id for log in logs for value in log]


class Clients:
    """Some clients that send one event after the other, none of them twice, and remember which were answered 202."""

    def __init__(
        self, collector: CollectorProcess, clients: int = 8, properties: Mapping[str, str] | None = None
    ) -> None:
        self.sent: list[str] = []
        self.accepted: list[str] = []
        self.refused: list[int] = []
        """Each status that is not 202."""
        self._event = {**SEED, "properties": properties or {}}
        self._collector = collector
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._stop.is_set():
                event_id = str(uuid.uuid4())
                self.sent.append(event_id)
                try:
                    answer = client.post(f"{self._collector.url}/track", json={**self._event, "eventId": event_id})
                except httpx.TransportError:
                    # There is no answer, so there is no promise. What is not listened to is not asked in a tight loop.
                    self._stop.wait(0.05)
                    continue
                if answer.status_code == 202:
                    assert answer.json() == {"eventId": event_id}
                    self.accepted.append(event_id)
                else:
                    self.refused.append(answer.status_code)

    def finish(self) -> list[str]:
        """The ids that were answered 202."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.accepted
