"""The collector as a process of its own, on a real Kafka: what it answered 202 is there, whatever is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from event_stream.codec import decode_event
from event_stream.topics import EVENTS
from logektor.embedded_kafka import free_port
from tests.conftest import RunningKafka
from tests.event_stream.test_writer_contract import stored_in_kafka
from tests.ingest_api.conftest import SEED, SITES

pytestmark = pytest.mark.kafka

ANOTHER_LOOPBACK = "127.0.0.9"
"""An address of the client that is none of the servers'."""


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
        self.log = home / "collector.log"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
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

    def waiting(self) -> float:
        """How many requests wait for Kafka."""
        metrics = httpx.get(f"{self.url}/metrics", timeout=5).text
        return float(metrics.split("\nlogektor_requests_waiting ")[1].split()[0])

    def worker(self) -> psutil.Process:
        """The process that takes the requests."""
        (worker,) = psutil.Process(self.process.pid).children()
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
def collecting(home: Path, bootstrap_servers: str, **settings: str) -> Iterator[CollectorProcess]:
    """A collector that is ready, and is stopped in the end."""
    collector = CollectorProcess(home, bootstrap_servers, **settings)
    try:
        until(collector.ready, 30, "the collector is ready")
        yield collector
    finally:
        if collector.process.poll() is None:
            collector.process.terminate()
            collector.process.wait(20)


def ids_in_kafka(kafka: RunningKafka) -> list[str]:
    logs = stored_in_kafka(kafka.bootstrap_servers, EVENTS.name)
    return [decode_event(value).event_id for log in logs for value in log]


class Clients:
    """Some clients that send one event after the other and remember which were answered 202."""

    def __init__(self, collector: CollectorProcess, clients: int = 8) -> None:
        self.accepted: list[str] = []
        self._collector = collector
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._stop.is_set():
                event_id = str(uuid.uuid4())
                try:
                    answer = client.post(f"{self._collector.url}/track", json={**SEED, "eventId": event_id})
                except httpx.TransportError:
                    continue
                if answer.status_code == 202:
                    assert answer.json() == {"eventId": event_id}
                    self.accepted.append(event_id)

    def finish(self) -> list[str]:
        """The ids that were answered 202."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.accepted


def test_the_first_payload_sent_with_curl_is_in_kafka(kafka: RunningKafka, tmp_path: Path) -> None:
    with collecting(tmp_path / "home", kafka.bootstrap_servers) as collector:
        answer = httpx.post(
            f"{collector.url}/track",
            content=json.dumps(SEED),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 202
    assert ids_in_kafka(kafka).count(answer.json()["eventId"]) == 1


def test_nothing_answered_202_is_lost_when_the_collector_is_killed(own_kafka: RunningKafka, tmp_path: Path) -> None:
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector, 8)
        until(lambda: len(clients.accepted) > 300, 30, "300 events were accepted")
        # A broker that hangs keeps open for long what otherwise is a moment: between the request and its 202.
        own_kafka.processes[-1].send_signal(signal.SIGSTOP)
        try:
            until(lambda: collector.waiting() == 8, 4, "every client waits for its answer")
            collector.kill()
        finally:
            own_kafka.processes[-1].send_signal(signal.SIGCONT)
        accepted = clients.finish()
    assert set(accepted) <= set(ids_in_kafka(own_kafka))


def test_while_kafka_is_away_the_answer_is_503_and_nothing_answered_202_is_lost(
    own_kafka: RunningKafka, tmp_path: Path
) -> None:
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers, LOGEKTOR_DELIVERY_SECONDS="1.5") as collector:
        clients = Clients(collector)
        until(lambda: len(clients.accepted) > 100, 30, "100 events were accepted")
        own_kafka.kill()
        until(lambda: not collector.ready(), 10, "the collector says that Kafka is away")
        refused = httpx.post(f"{collector.url}/track", json=SEED, timeout=20)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]["code"] == "not_durable"
        assert httpx.get(f"{collector.url}/health/live", timeout=5).status_code == 200
        own_kafka.start()
        until(collector.ready, 30, "the collector says that Kafka is back")
        before = len(clients.accepted)
        until(lambda: len(clients.accepted) > before + 100, 30, "events are accepted again")
        accepted = clients.finish()
    assert set(accepted) <= set(ids_in_kafka(own_kafka))


def test_stopping_answers_what_was_accepted_and_exits_0(own_kafka: RunningKafka, tmp_path: Path) -> None:
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers) as collector:
        event_id = str(uuid.uuid4())
        statuses: list[int] = []
        own_kafka.processes[-1].send_signal(signal.SIGSTOP)
        try:
            under_way = threading.Thread(target=lambda: statuses.append(collector.track(event_id)))
            under_way.start()
            until(lambda: collector.waiting() == 1, 4, "the request waits for Kafka")
            collector.process.terminate()
            until(lambda: not collector.listens(), 10, "no more requests are taken")
        finally:
            own_kafka.processes[-1].send_signal(signal.SIGCONT)
        under_way.join(20)
        assert statuses == [202]
        assert collector.process.wait(20) == 0
    assert event_id in ids_in_kafka(own_kafka)


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.2])
def test_a_collector_that_is_still_starting_stops_too(tmp_path: Path, seconds: float) -> None:
    collector = CollectorProcess(tmp_path / "home", f"127.0.0.1:{free_port()}")
    time.sleep(seconds)
    collector.process.terminate()
    collector.process.wait(5)


def test_a_worker_does_not_outlive_its_server(kafka: RunningKafka, tmp_path: Path) -> None:
    with collecting(tmp_path / "home", kafka.bootstrap_servers) as collector:
        worker = collector.worker()
        collector.process.kill()
        collector.process.wait()
        worker.wait(15)


def test_neither_address_nor_key_of_a_client_is_logged(own_kafka: RunningKafka, tmp_path: Path) -> None:
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers, LOGEKTOR_DELIVERY_SECONDS="0.5") as collector:
        transport = httpx.HTTPTransport(local_address=ANOTHER_LOOPBACK)
        with httpx.Client(transport=transport, base_url=collector.url, timeout=20) as client:

            def send() -> list[int]:
                said = {"action": "x", "clientIp": "203.0.113.77", "userAgent": "Secretive/1.0"}
                return [
                    client.post("/track", json=said, headers={"authorization": "Bearer sk_example"}).status_code,
                    client.post("/track?key=pk_example", json={"action": "x"}).status_code,
                    client.post("/track?key=pk_unheard", json={"action": "x"}).status_code,
                    client.post("/track", content=b"{", headers={"authorization": "Bearer pk_example"}).status_code,
                    client.get("/nowhere?key=pk_example").status_code,
                ]

            assert send() == [202, 202, 401, 400, 404]
            own_kafka.kill()
            assert send() == [503, 503, 401, 503, 404]
            until(lambda: "is away" in collector.log.read_text(), 10, "the log says that Kafka is away")
    log = collector.log.read_text()
    for secret in (ANOTHER_LOOPBACK, "203.0.113.77", "sk_example", "pk_example", "pk_unheard", "Secretive"):
        assert secret not in log


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ({"LOGEKTOR_COLLECTOR_PORT": "none"}, 2, "LOGEKTOR_COLLECTOR_PORT"),
        ({"LOGEKTOR_DELIVERY_SECONDS": "0"}, 2, "LOGEKTOR_DELIVERY_SECONDS"),
    ],
)
def test_a_bad_setting_stops_it_with_one_sentence(
    tmp_path: Path, settings: dict[str, str], code: int, says: str
) -> None:
    collector = CollectorProcess(tmp_path / "home", "127.0.0.1:1", **settings)
    assert collector.process.wait(20) == code
    (sentence,) = collector.log.read_text().splitlines()
    assert says in sentence


def test_a_taken_port_is_told(kafka: RunningKafka, tmp_path: Path) -> None:
    with collecting(tmp_path / "home", kafka.bootstrap_servers) as collector:
        port = collector.url.rsplit(":", 1)[1]
        second = CollectorProcess(tmp_path / "second", kafka.bootstrap_servers, LOGEKTOR_COLLECTOR_PORT=port)
        assert second.process.wait(20) == 1
        (sentence,) = second.log.read_text().splitlines()
        assert f":{port}" in sentence
