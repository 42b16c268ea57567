"""Whatever is killed, hung or full: each event answered 202 is in Kafka or in the disk spool.

The clients send nothing twice, so an event that is lost stays lost. `uv run pytest -m faults` ends with a table.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from event_stream.codec import decode_event
from ingest_api.spool_folder import SpoolFolder
from tests.conftest import RunningKafka
from tests.fault_table import CollectorFault
from tests.ingest_api.collector_process import Clients, CollectorProcess, collecting, ids_in_kafka, running, until

pytestmark = [pytest.mark.faults, pytest.mark.kafka]

Account = Callable[[str, Sequence[Clients]], CollectorFault]

A_LOT = {"text": "x" * 8_000}
"""Makes an event of 8 KB, which fills a spool soon."""

DISK_BYTES = 4 * 1024 * 1024


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def account(request: pytest.FixtureRequest, own_kafka: RunningKafka, home: Path, tmp_path: Path) -> Account:
    """Compares what was answered 202 with what Kafka and, once its collectors are gone, the spool have."""
    copies = iter(range(100))

    def look(name: str, clients: Sequence[Clients]) -> CollectorFault:
        accepted = {event_id for each in clients for event_id in each.accepted}
        in_kafka = Counter(ids_in_kafka(own_kafka))
        in_spool = set(ids_in_spool(home / "spool", tmp_path / f"copy-{next(copies)}"))
        fault = CollectorFault(
            name,
            sent=sum(len(each.sent) for each in clients),
            accepted=len(accepted),
            in_kafka=len(accepted & in_kafka.keys()),
            in_spool=len(accepted & in_spool),
            lost=len(accepted - in_kafka.keys() - in_spool),
            twice=sum(count > 1 for count in in_kafka.values()),
        )
        fault.found(request.config)
        return fault

    return look


def ids_in_spool(folder: Path, copy: Path) -> list[str]:
    """The events that a collector would find there; looked for in a copy, so that it still can."""
    if folder.exists():
        shutil.copytree(folder, copy)
    spool = SpoolFolder(copy, 0)
    spool.adopt()
    spool.rewind()
    ids = []
    while (piece := spool.next_piece(1_000, 1_000_000)) is not None:
        ids += [decode_event(record.value).event_id for record in piece.spooled.records]
        spool.settle(piece, [None] * len(piece.spooled.ids))
    return ids


def spool_files(home: Path) -> list[Path]:
    return list((home / "spool").glob("*.sqlite3*"))


def drained(home: Path) -> bool:
    return spool_files(home) == []


def sent_more(clients: Clients, events: int) -> None:
    """Waits until so many more were accepted."""
    before = len(clients.accepted)
    until(lambda: len(clients.accepted) > before + events, 60, f"{events} more events are accepted")


def go_away(kafka: RunningKafka, collector: CollectorProcess) -> None:
    kafka.kill()
    until(lambda: not collector.kafka_up(), 20, "the collector knows that Kafka is away")


def test_the_collector_is_killed(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 500)
        collector.kill()
        clients.finish()
    assert account("collector killed", [clients]).lost == 0


def test_the_collector_is_killed_while_kafka_is_away(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 200)
        go_away(own_kafka, collector)
        sent_more(clients, 500)
        collector.kill()
        clients.finish()
    own_kafka.start()
    killed = account("collector killed, Kafka away", [clients])
    assert killed.lost == 0
    assert killed.in_spool >= 500
    with collecting(home, own_kafka.bootstrap_servers):
        until(lambda: drained(home), 60, "the spool is drained")
    restarted = account("… and started again", [clients])
    assert restarted.lost == 0
    assert restarted.in_kafka == restarted.accepted


def test_the_broker_is_killed_and_started_again(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 300)
        go_away(own_kafka, collector)
        sent_more(clients, 300)
        own_kafka.start()
        until(collector.kafka_up, 60, "the collector knows that Kafka is back")
        sent_more(clients, 300)
        until(lambda: drained(home), 60, "the spool is drained under load")
        clients.finish()
    fault = account("broker killed, started again", [clients])
    assert fault.lost == 0
    assert fault.in_kafka == fault.accepted
    assert clients.refused == []


def test_the_broker_hangs(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 300)
        own_kafka.processes[-1].send_signal(signal.SIGSTOP)
        try:
            until(lambda: not collector.kafka_up(), 30, "the collector notices that Kafka hangs")
            sent_more(clients, 300)
        finally:
            own_kafka.processes[-1].send_signal(signal.SIGCONT)
        until(collector.kafka_up, 60, "the collector knows that Kafka is back")
        sent_more(clients, 300)
        until(lambda: drained(home), 60, "the spool is drained under load")
        clients.finish()
    fault = account("broker hung", [clients])
    assert fault.lost == 0
    assert fault.in_kafka == fault.accepted
    assert clients.refused == []


def test_the_collector_is_stopped_while_the_broker_hangs(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 300)
        own_kafka.processes[-1].send_signal(signal.SIGSTOP)
        try:
            until(lambda: collector.waiting() == 8, 10, "every client waits for its answer")
            collector.process.terminate()
            assert collector.process.wait(20) == 0
            clients.finish()
        finally:
            own_kafka.processes[-1].send_signal(signal.SIGCONT)
    assert account("collector stopped, broker hung", [clients]).lost == 0


def test_the_collector_is_stopped_while_kafka_is_away(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 200)
        own_kafka.kill()
        sent_more(clients, 300)
        began = time.monotonic()
        collector.process.terminate()
        assert collector.process.wait(20) == 0
        assert time.monotonic() - began < 15
        clients.finish()
    own_kafka.start()
    fault = account("collector stopped, Kafka away", [clients])
    assert fault.lost == 0
    assert fault.in_spool > 0


@pytest.fixture
def tiny_disk(home: Path) -> Iterator[None]:
    """A disk of a few MB where the spool is."""
    folder = home / "spool"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("needs root and the right to mount a tmpfs")
    yield
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - wherever it is


@pytest.mark.usefixtures("tiny_disk")
def test_the_disk_is_full(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    refuses_until_kafka_is_back(own_kafka, home, account, "disk full")


def test_the_spool_is_full(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    refuses_until_kafka_is_back(own_kafka, home, account, "spool full", LOGEKTOR_SPOOL_BYTES=str(DISK_BYTES))


def refuses_until_kafka_is_back(kafka: RunningKafka, home: Path, account: Account, name: str, **settings: str) -> None:
    """Accepts while there is room, then answers 503 and nothing else, and drains all in the end."""
    with collecting(home, kafka.bootstrap_servers, **settings) as collector:
        go_away(kafka, collector)
        clients = Clients(collector, properties=A_LOT)
        until(lambda: len(clients.refused) > 50, 60, "there is no room any more")
        assert len(clients.accepted) > 50
        until(lambda: not collector.ready(), 20, "the collector says that it takes nothing more")
        answer = httpx.post(f"{collector.url}/track", json={"action": "x", "properties": A_LOT}, timeout=20)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_durable")
        assert int(answer.headers["retry-after"]) > 0
        kafka.start()
        until(collector.kafka_up, 60, "the collector knows that Kafka is back")
        until(lambda: drained(home), 60, "the spool is drained, and its space given back")
        sent_more(clients, 100)
        clients.finish()
    fault = account(name, [clients])
    assert fault.lost == 0
    assert fault.in_kafka == fault.accepted
    assert set(clients.refused) == {503}


def test_a_collector_is_killed_beside_another(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with (
        collecting(home, own_kafka.bootstrap_servers) as survivor,
        collecting(home, own_kafka.bootstrap_servers) as killed,
    ):
        go_away(own_kafka, killed)
        clients = [Clients(survivor, 4), Clients(killed, 4)]
        for each in clients:
            sent_more(each, 200)
        killed.kill()
        for each in clients:
            each.finish()
        own_kafka.start()
        until(lambda: drained(home), 60, "the survivor has drained its own and the orphan")
    fault = account("one of two collectors killed", clients)
    assert fault.lost == 0
    assert fault.in_kafka == fault.accepted


def test_one_worker_process_of_a_collector_is_killed(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    with collecting(home, own_kafka.bootstrap_servers, LOGEKTOR_COLLECTOR_WORKERS="2") as collector:
        go_away(own_kafka, collector)
        clients = Clients(collector)

        def each_worker_spools() -> bool:
            # The kernel says who takes a connection, and it may give those of all clients to one.
            clients.sent.append(str(uuid.uuid4()))
            if collector.track(clients.sent[-1]) == 202:
                clients.accepted.append(clients.sent[-1])
            return len(list((home / "spool").glob("*.sqlite3"))) == 2

        until(each_worker_spools, 60, "each worker process has a spool file")
        sent_more(clients, 200)
        killed = collector.workers()[0]
        killed.kill()
        sent_more(clients, 200)
        own_kafka.start()
        until(lambda: drained(home), 60, "the other one has drained its own and the orphan")
        clients.finish()
    fault = account("one of two worker processes killed", [clients])
    assert fault.lost == 0
    assert fault.in_kafka == fault.accepted


def test_kafka_comes_long_after_the_collector(own_kafka: RunningKafka, home: Path, account: Account) -> None:
    # It has no topics yet.
    own_kafka.kill()
    with running(home, own_kafka.bootstrap_servers) as collector:
        clients = Clients(collector)
        sent_more(clients, 300)
        own_kafka.start()
        until(collector.kafka_up, 60, "the collector has made its topics")
        sent_more(clients, 100)
        until(lambda: drained(home), 60, "the spool is drained")
        clients.finish()
    fault = account("Kafka started last", [clients])
    assert fault.lost == 0
    assert fault.in_kafka == fault.accepted
    assert clients.refused == []
