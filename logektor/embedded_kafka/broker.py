"""One Kafka node, broker and controller in one process (KRaft), that lives in a folder and listens on loopback."""

import base64
import errno
import json
import os
import random
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import escape

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from logektor.embedded_kafka.distribution import Distribution
from logektor.embedded_kafka.errors import FormatFailed, NotReady

_HOST = "127.0.0.1"

# After a SIGKILL the controller lets the broker in again only when the dead one's session has run out, 9 s by default:
# broker.session.timeout.ms is what a restart then waits.
_SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={log_dirs}
log.retention.hours=168
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
log.cleaner.dedupe.buffer.size=16777216
"""

_LOG4J2 = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <RollingFile name="file" fileName="{folder}/broker.log" filePattern="{folder}/broker.log.%i">
      <PatternLayout pattern="%d{{yyyy-MM-dd'T'HH:mm:ss.SSSX}}{{UTC}} %-5p %c{{1}}: %m%n"/>
      <SizeBasedTriggeringPolicy size="10 MB"/>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""


class EmbeddedKafka:
    """A Kafka node under `folder`. `prepare()` writes its configuration, and on first use its storage; `command()`
    then runs it in the foreground until SIGTERM. Its ports may differ from start to start, its cluster id stays.

    `properties` win over its own server.properties: by them, and one `cluster_id`, several nodes are a cluster.
    """

    def __init__(
        self,
        distribution: Distribution,
        folder: Path,
        port: int,
        properties: Mapping[str, str] = MappingProxyType({}),
        cluster_id: str | None = None,
    ) -> None:
        self._distribution = distribution
        self._folder = folder.resolve()
        self._port = port
        self._more_properties = properties
        self._cluster_id = cluster_id

    @property
    def bootstrap_servers(self) -> str:
        return f"{_HOST}:{self._port}"

    def prepare(self) -> None:
        """Write the configuration; format the storage if that never came to its end. Raises FormatFailed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        storage = self._folder / "storage"
        self._write("log4j2.xml", _LOG4J2.format(folder=escape(str(self._folder), {'"': "&quot;"})))
        if not storage.exists():
            self._format(storage)
        self._write("server.properties", self._properties(storage))

    def command(self) -> list[str]:
        """The foreground process: SIGTERM stops it cleanly with exit code 143, SIGKILL loses nothing acknowledged."""
        return [*self._java(), "kafka.Kafka", str(self._folder / "server.properties")]

    def _java(self) -> list[str]:
        return [
            str(self._distribution.java),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            # The first compiler only: ready 0.5 s sooner, and no less throughput for a third less CPU.
            "-XX:TieredStopAtLevel=1",
            # What Java 24 and later would warn of on every start.
            "--sun-misc-unsafe-memory-access=allow",
            "--enable-native-access=ALL-UNNAMED",
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}",
            "-cp",
            os.pathsep.join(map(str, self._distribution.jars)),
        ]

    def _format(self, storage: Path) -> None:
        # Formatted beside its place and renamed: `storage` is whole or absent, whenever the tool was killed.
        unfinished = self._folder / "storage.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write("format.properties", self._properties(unfinished))
        arguments = [
            "format",
            f"--cluster-id={self._cluster_id or new_cluster_id()}",
            "-c",
            str(self._folder / "format.properties"),
        ]
        tool = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if tool.returncode != 0:
            raise FormatFailed(self._folder, tool.stdout.strip())
        (self._folder / "format.properties").unlink()
        unfinished.replace(storage)

    def _properties(self, log_dirs: Path) -> str:
        properties = _SERVER_PROPERTIES.format(
            host=_HOST,
            port=self._port,
            controller_port=free_port(),
            # A properties file is Latin-1 with JSON's escapes.
            log_dirs=json.dumps(str(log_dirs))[1:-1],
        )
        # Of a name that is there twice the latter counts.
        return properties + "".join(f"{name}={value}\n" for name, value in self._more_properties.items())

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")


def wait_until_ready(bootstrap_servers: str, seconds: float) -> None:
    """Return once a broker there answers, NotReady after `seconds`."""
    deadline = time.monotonic() + seconds
    # Being refused while it starts is what we wait out: librdkafka need not log it.
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "reconnect.backoff.max.ms": 100, "log_level": 0})
    while (left := deadline - time.monotonic()) > 0:
        try:
            if admin.list_topics(timeout=left).brokers:
                return
        except KafkaException:
            continue
        time.sleep(0.02)
    raise NotReady(bootstrap_servers, seconds)


def free_port() -> int:
    """A loopback port nobody listens on, below the range the kernel gives to outgoing connections.

    A client that tries again and again to reach a stopped broker on a port of that range can be given that very port
    for its own end, connect to itself, and so keep the broker from coming back.
    """
    candidates = list(range(20_000, 32_768))
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((_HOST, port))
            return port
    raise OSError(errno.EADDRINUSE, "no free port from 20000 to 32767")


def new_cluster_id() -> str:
    """An id as Kafka's own tool makes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode("ascii")
