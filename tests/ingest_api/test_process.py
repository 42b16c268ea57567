"""The collector as a process of its own, on a real Kafka: what it answered 202 is there, whatever is killed."""

import json
import signal
import threading
import time
import uuid
from pathlib import Path

import httpx
import psutil
import pytest

from logektor.embedded_kafka import free_port
from tests.conftest import RunningKafka
from tests.ingest_api.collector_process import Clients, CollectorProcess, collecting, ids_in_kafka, until
from tests.ingest_api.conftest import SEED

pytestmark = pytest.mark.kafka

ANOTHER_LOOPBACK = "127.0.0.9"
"""An address of the client that is none of the servers'."""

WITHOUT_SPOOL = {"LOGEKTOR_SPOOL_BYTES": "0"}


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
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers, LOGEKTOR_DELIVERY_SECONDS="6") as collector:
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


def test_without_a_spool_the_answer_is_503_while_kafka_is_away_and_nothing_answered_202_is_lost(
    own_kafka: RunningKafka, tmp_path: Path
) -> None:
    settings = {"LOGEKTOR_DELIVERY_SECONDS": "1.5", **WITHOUT_SPOOL}
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers, **settings) as collector:
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
    with collecting(tmp_path / "home", own_kafka.bootstrap_servers, LOGEKTOR_DELIVERY_SECONDS="6") as collector:
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


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ({"LOGEKTOR_COLLECTOR_PORT": "none"}, 2, "LOGEKTOR_COLLECTOR_PORT"),
        ({"LOGEKTOR_DELIVERY_SECONDS": "0"}, 2, "LOGEKTOR_DELIVERY_SECONDS"),
        ({"LOGEKTOR_TRUSTED_PROXIES": "10.0.0.0/8, proxy"}, 2, "LOGEKTOR_TRUSTED_PROXIES: Value error, 'proxy' is"),
        ({"LOGEKTOR_COUNTRY_FILE": "/missing.mmdb"}, 2, "/missing.mmdb: the country file can't be read"),
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


def test_two_worker_processes_answer_metrics_with_their_sum_also_after_one_was_killed(
    kafka: RunningKafka, tmp_path: Path
) -> None:
    with collecting(tmp_path / "home", kafka.bootstrap_servers, LOGEKTOR_COLLECTOR_WORKERS="2") as collector:
        for number in range(40):
            # Each by a connection of its own, which any of the two may take.
            assert collector.track(f"{number}") == 202

        def accepted() -> float:
            text = httpx.get(f"{collector.url}/metrics", timeout=5).text
            return float(text.split('\nlogektor_events_accepted_total{site="localhost"} ')[1].split()[0])

        until(lambda: accepted() == 40, 10, "all events are counted, whichever process answers")
        assert {accepted() for _ in range(8)} == {40}
        workers = psutil.Process(collector.process.pid).children()
        assert len(workers) == 2
        workers[0].kill()
        until(lambda: len(psutil.Process(collector.process.pid).children()) == 2, 20, "another process takes its place")
        until(collector.ready, 20, "the collector is ready")
        assert {accepted() for _ in range(8)} == {40}
