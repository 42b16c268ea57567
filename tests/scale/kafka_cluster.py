"""A Kafka cluster of three nodes on this machine, each broker and controller: three copies, two of them needed."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import PartitionMetadata  # type: ignore[attr-defined]  # documented, not exported by type

from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_topics import find_topics
from event_stream.topics import EVENTS, REJECTED, SALTS
from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port, wait_until_ready
from logektor.embedded_kafka.broker import new_cluster_id
from tests.ingest_api.collector_process import until

NODES = (1, 2, 3)
READY_SECONDS = 120.0
_ASK_SECONDS = 10.0


class ThreeNodes:
    """The cluster; a node is called by its id, 1 to 3."""

    def __init__(self, distribution: Distribution, folder: Path) -> None:
        self._folder = folder
        self._ports = {node: free_port() for node in NODES}
        voters = {node: free_port() for node in NODES}
        cluster_id = new_cluster_id()
        self._nodes = {
            node: EmbeddedKafka(
                distribution,
                folder / f"node-{node}",
                self._ports[node],
                {
                    "node.id": f"{node}",
                    "controller.quorum.voters": ",".join(f"{each}@127.0.0.1:{port}" for each, port in voters.items()),
                    "listeners": f"BROKER://127.0.0.1:{self._ports[node]},CONTROLLER://127.0.0.1:{voters[node]}",
                    "default.replication.factor": "3",
                    "min.insync.replicas": "2",
                    "offsets.topic.replication.factor": "3",
                    "transaction.state.log.replication.factor": "3",
                    "transaction.state.log.min.isr": "2",
                },
                cluster_id,
            )
            for node in NODES
        }
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def cluster(self) -> KafkaCluster:
        return KafkaCluster(",".join(f"127.0.0.1:{port}" for port in self._ports.values()))

    def prepare(self) -> None:
        """Formats what each node stores."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda node: node.prepare(), self._nodes.values()))

    def start(self, *nodes: int) -> None:
        """Starts nodes, or starts them again; returns when they answer and every copy is up to date."""
        for node in nodes:
            self._nodes[node].prepare()
            self._processes[node] = subprocess.Popen(self._nodes[node].command())
        for node in nodes:
            wait_until_ready(f"127.0.0.1:{self._ports[node]}", READY_SECONDS)
        until(self._all_in_sync, READY_SECONDS, "every copy is up to date")

    def kill(self, *nodes: int) -> None:
        """SIGKILL."""
        for node in nodes:
            self._processes[node].kill()
        for node in nodes:
            self._processes[node].wait()

    def leader(self, topic: str) -> int:
        """The node that takes what is written to the topic's first stream partition."""
        return self._described(topic)[0].leader

    def partitions(self, topic: str) -> int:
        """How many stream partitions the topic has."""
        return len(self._described(topic))

    def controller(self) -> int:
        """The node that leads the controllers: clients can't ask for it, but each node writes down whom it follows."""
        states = [json.loads(file.read_text()) for file in self._folder.glob("node-*/storage/*/quorum-state")]
        return int(max(states, key=lambda state: state["leaderEpoch"])["leaderId"])

    def stop(self) -> None:
        """SIGKILL to all: nobody needs them any more."""
        self.kill(*(node for node, process in self._processes.items() if process.poll() is None))

    def _described(self, topic: str) -> dict[int, PartitionMetadata]:
        return KafkaAdmin(self.cluster).client.list_topics(topic, timeout=_ASK_SECONDS).topics[topic].partitions

    def _all_in_sync(self) -> bool:
        names = [EVENTS.name, REJECTED.name, SALTS.name]
        found = find_topics(KafkaAdmin(self.cluster).client, names, _ASK_SECONDS)
        return all(topic.in_sync == len(NODES) for topic in found.values())


@contextmanager
def three_nodes(distribution: Distribution, folder: Path) -> Iterator[ThreeNodes]:
    """A running cluster without topics."""
    nodes = ThreeNodes(distribution, folder)
    try:
        nodes.prepare()
        nodes.start(*NODES)
        yield nodes
    finally:
        nodes.stop()
