"""The real Kafka that tests share: one broker per session, and one of its own for each test that kills it."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.workermanage import WorkerController

from event_stream.kafka_cluster import KafkaCluster
from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port, resolve, wait_until_ready
from tests.fault_table import tables, take, told

# Whoever started the tests in the background may have left these ignored; a JVM inherits that and can't be stopped.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
settings.register_profile("logektor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("logektor")

_READY_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True)
class RunningKafka:
    """A broker with its own folder and port; topics are the test's own, so name them uniquely."""

    bootstrap_servers: str
    broker: EmbeddedKafka
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def cluster(self) -> KafkaCluster:
        return KafkaCluster(self.bootstrap_servers)

    def start(self) -> None:
        """Start it, or start it again with what it had stored, on the same port; returns when it answers."""
        self.broker.prepare()
        self.processes.append(subprocess.Popen(self.broker.command()))
        wait_until_ready(self.bootstrap_servers, _READY_SECONDS)

    def kill(self) -> None:
        """SIGKILL: no clean shutdown."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that takes too long."""
        self.processes[-1].terminate()
        try:
            self.processes[-1].wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def running_kafka(distribution: Distribution, folder: Path) -> Iterator[RunningKafka]:
    """A broker that runs to the end of the block, with what it stores in a folder."""
    broker = EmbeddedKafka(distribution, folder, free_port())
    kafka = RunningKafka(broker.bootstrap_servers, broker)
    try:
        kafka.start()
        yield kafka
    finally:
        if kafka.processes:
            kafka.stop()


@pytest.fixture(scope="session")
def kafka_distribution() -> Distribution:
    """Kafka's jars, downloaded on the first run on this machine."""
    return resolve(Path.home() / ".cache" / "logektor" / "kafka")


@pytest.fixture(scope="session")
def kafka(kafka_distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """The broker all tests share: create topics of your own, never kill it."""
    with running_kafka(kafka_distribution, tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def own_kafka(kafka_distribution: Distribution, tmp_path: Path) -> Iterator[RunningKafka]:
    """A broker for one test, to kill() and start() again."""
    with running_kafka(kafka_distribution, tmp_path / "kafka") as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """For tests/contract: a collector of another make, and the broker that its records are on."""
    parser.addoption("--collector-url", help="such as http://127.0.0.1:8080; without it, ours is tested")
    parser.addoption("--collector-kafka", help="host:port of its Kafka", default="127.0.0.1:9092")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The processes that share the tests tell what they found to the one that ends the run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = told(session.config)


def pytest_testnodedown(node: WorkerController) -> None:
    take(node.config, node.workeroutput.get("faults", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for title, lines in tables(config):
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
