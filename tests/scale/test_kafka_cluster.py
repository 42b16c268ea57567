"""A cluster of three brokers that loses one, or two: each event that was answered 202 is landed, and counted once.

The clients send nothing twice, so what is lost stays lost, and a refusal is an event that nobody has.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl
import pytest
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # documented, not exported by type

from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_settings import TopicSettings
from event_stream.kafka_topics import differences, ensure_topics
from event_stream.topics import EVENTS
from lake.audit import audit
from lake.location import Lake
from lake.raw import scan_raw_events
from lake.table_version import open_version
from logektor.doctor.kafka import look_at_kafka
from logektor.embedded_kafka import Distribution
from logektor.not_landed import wait_until_landed
from pipelines.refresh.events import take_in
from pipelines.reports.clean_events import EVENTS as CLEAN_EVENTS
from tests.fault_table import ClusterFault
from tests.ingest_api.collector_process import Clients, CollectorProcess, collecting, until
from tests.ingest_api.conftest import SEED
from tests.scale.kafka_cluster import NODES, READY_SECONDS, ThreeNodes, three_nodes

pytestmark = [pytest.mark.scale, pytest.mark.kafka]

SECONDS = 120.0
TOPICS = {"LOGEKTOR_KAFKA_TOPIC_REPLICATION": "3", "LOGEKTOR_KAFKA_TOPIC_MIN_INSYNC": "2"}
SHAPED = TopicSettings(kafka_topic_replication=3, kafka_topic_min_insync=2).topics


@pytest.fixture(scope="module")
def nodes(kafka_distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    with three_nodes(kafka_distribution, tmp_path_factory.mktemp("cluster")) as running:
        ensure_topics(running.cluster, SHAPED, READY_SECONDS)
        yield running


@contextmanager
def landing(home: Path, cluster: KafkaCluster, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker; it is to be alive still when the block ends."""
    told = {"LOGEKTOR_HOME": str(home), "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": str(cluster), **settings}
    log = home.parent / f"{home.name}.log"
    with log.open("wb") as file:
        worker = subprocess.Popen(
            [sys.executable, "-m", "pipelines.landing"], env=os.environ | told, stdout=file, stderr=file
        )
    try:
        yield worker
        assert worker.poll() is None, log.read_text()
    finally:
        worker.terminate()
        worker.wait(SECONDS)


def more(clients: Clients, answers: int) -> None:
    """Waits for so many more answers."""
    before = len(clients.accepted) + len(clients.refused)
    until(lambda: len(clients.accepted) + len(clients.refused) >= before + answers, SECONDS, f"{answers} more answers")


def account(name: str, lake: Lake, clients: Clients) -> ClusterFault:
    """Looks for each event by its id: in the rows that were landed, and in the table that reports are made of."""
    take_in(lake, {})
    sent = pl.col("event_id").is_in(clients.sent)
    landed = scan_raw_events(lake).filter(sent).select("event_id").collect()["event_id"]
    counted = open_version(lake, CLEAN_EVENTS).scan().filter(sent).select("event_id").collect()["event_id"]
    return ClusterFault(
        name,
        sent=len(clients.sent),
        accepted=len(clients.accepted),
        refused=len(clients.refused),
        again=landed.len() - landed.n_unique(),
        lost=len(set(clients.accepted) - set(counted)),
        double=counted.len() - counted.n_unique(),
    )


def all_landed(collector: CollectorProcess, nodes: ThreeNodes, lake: Lake) -> None:
    spool = collector.log.parent / "spool"
    until(lambda: not list(spool.glob("*.sqlite3*")), SECONDS, "the spool is drained")
    until(lambda: wait_until_landed(nodes.cluster, lake, 0) == 0, SECONDS, "all is landed")


def test_the_leader_and_the_controller_are_killed_under_load(
    nodes: ThreeNodes, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lake = Lake(str(tmp_path / "worker" / "lake"))
    with (
        collecting(tmp_path / "collector", str(nodes.cluster), **TOPICS) as collector,
        landing(tmp_path / "worker", nodes.cluster),
    ):
        victims = {"leader killed": lambda: nodes.leader(EVENTS.name), "controller killed": nodes.controller}
        for name, find in victims.items():
            clients = Clients(collector)
            more(clients, 300)
            node = find()
            nodes.kill(node)
            more(clients, 500)
            nodes.start(node)
            more(clients, 300)
            clients.finish()
            all_landed(collector, nodes, lake)
            fault = account(f"{name} (node {node}), 3 brokers", lake, clients)
            fault.found(request.config)
            assert (fault.lost, fault.double, fault.refused) == (0, 0, 0)
            assert fault.accepted == fault.sent
    assert audit(lake).exact


def test_two_of_three_brokers_are_down_and_nothing_answered_202_is_lost(
    nodes: ThreeNodes, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lake = Lake(str(tmp_path / "worker" / "lake"))
    left = nodes.leader(EVENTS.name)
    with (
        # Room for some of it: then it answers 503.
        collecting(tmp_path / "collector", str(nodes.cluster), **TOPICS, LOGEKTOR_SPOOL_BYTES="1000000") as collector,
        landing(tmp_path / "worker", nodes.cluster),
    ):
        clients = Clients(collector, properties={"text": "x" * 4_000})
        more(clients, 200)
        nodes.kill(*(node for node in NODES if node != left))
        until(lambda: collector.metric("logektor_spooled_total") > 0, SECONDS, "events are spooled")
        until(lambda: len(clients.refused) > 0, SECONDS, "the spool is full")
        nodes.start(*(node for node in NODES if node != left))
        refused = len(clients.refused)
        until(lambda: collector.metric("logektor_spool_records") == 0, SECONDS, "the spool is drained")
        more(clients, 200)
        clients.finish()
        assert set(clients.refused) == {503}
        all_landed(collector, nodes, lake)
    fault = account(f"2 of 3 brokers down, {refused} refused", lake, clients)
    fault.found(request.config)
    assert (fault.lost, fault.double) == (0, 0)
    assert audit(lake).exact


def test_the_doctor_looks_at_a_cluster(nodes: ThreeNodes) -> None:
    facts = look_at_kafka(nodes.cluster, SHAPED, "nobody", Path("nowhere"))
    assert (facts.trouble, facts.brokers, facts.workers) == (None, 3, 0)
    assert [differences(topic, facts.topics[topic.name]) for topic in SHAPED] == [[], [], []]
    assert {topic.in_sync for topic in facts.topics.values()} == {3}


def test_more_stream_partitions_are_landed_exactly_once(nodes: ThreeNodes, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "worker" / "lake"))
    sent: list[str] = []
    for partitions in (4, 8):
        if partitions != nodes.partitions(EVENTS.name):
            admin = KafkaAdmin(nodes.cluster).client
            (grown,) = admin.create_partitions([NewPartitions(EVENTS.name, partitions)]).values()
            grown.result()
            until(lambda: nodes.partitions(EVENTS.name) == 8, SECONDS, "there are more")
        # Started anew: who runs on looks for new ones every five minutes.
        with (
            collecting(tmp_path / "collector", str(nodes.cluster), **TOPICS) as collector,
            landing(tmp_path / "worker", nodes.cluster),
            landing(tmp_path / "second", nodes.cluster, LOGEKTOR_LAKE_URI=lake.uri),
        ):
            for _ in range(5):
                batch = [{**SEED, "eventId": uuid.uuid4().hex, "objectId": uuid.uuid4().hex} for _ in range(100)]
                assert httpx.post(f"{collector.url}/batch", json=batch, timeout=60).status_code == 202
                sent += [str(event["eventId"]) for event in batch]
            all_landed(collector, nodes, lake)
    landed = (
        scan_raw_events(lake).filter(pl.col("event_id").is_in(sent)).select("event_id", "kafka_partition").collect()
    )
    assert sorted(landed["event_id"]) == sorted(sent)
    assert set(landed["kafka_partition"]) == set(range(8))
    assert audit(lake).exact
