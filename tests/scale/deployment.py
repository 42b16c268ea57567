"""A whole deployment on one machine: nginx before several collectors and query APIs, and several landing workers.

Each collector and worker has a home of its own, as if on a host of its own; the query APIs share theirs, with the
tokens. nginx runs with the configuration of deploy/nginx, in which only ports and upstreams are other ones.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
import psutil
from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from event_stream.topics import EVENTS, REJECTED
from lake.location import Lake
from logektor.embedded_kafka import free_port
from pipelines.landing.gaps import landed_offsets
from query_api.tokens import read_token
from sites import Site, load_sites, register_site
from tests.scale.server_process import until

Role = Literal["collector", "query_api", "worker", "refresher", "nginx"]

SITE = "localhost"
"""The site that events without a key are of."""

ROOT = Path(__file__).parent.parent.parent
NGINX = ROOT / "deploy" / "nginx"

READY_SECONDS = 120.0
_LANDED = (EVENTS.name, REJECTED.name)
_STOP_SECONDS = 30.0


@dataclass
class Part:
    """A process with all its children, in a group of its own. `port` is where it answers HTTP, 0 where it does not."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    port: int
    ready: Callable[["Part"], bool]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Does not wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        until(lambda: self._runs() and self.ready(self), f"{self.name} is ready", READY_SECONDS)

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that takes too long. Does nothing where it does not run."""
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def pause(self) -> None:
        """SIGSTOP: it hangs, and keeps its connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._signal(signal.SIGCONT)

    def memory(self) -> int:
        """The RSS of all its processes, in bytes; 0 where it does not run."""
        if self.process is None:
            return 0
        total = 0
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            for each in (main, *main.children(recursive=True)):
                total += each.memory_info().rss
        return total

    def said(self) -> str:
        """All that its processes have written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def metrics(self) -> dict[str, float]:
        """What it counts, by name, summed over labels; empty where it does not answer."""
        try:
            text = httpx.get(f"{self.url}/metrics", timeout=5).raise_for_status().text
        except httpx.HTTPError:
            return {}
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def answers(self, path: str) -> bool:
        """Whether a path is answered 2xx."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _runs(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} has ended:\n{self.said()[-2_000:]}"
        return True

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)


@dataclass
class Deployment:
    """Starts, kills and restarts any process by role and number, which counts from 0.

    The lake is a folder of its own where no other is given. A store's credentials are in this process's environment.
    """

    folder: Path
    bootstrap_servers: str
    collectors: int = 3
    query_apis: int = 2
    workers: int = 3
    refreshers: int = 0
    lake_uri: str | None = None
    collector_settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.lake = Lake(self.lake_uri or str(self.folder / "lake"))
        register_site(self.home / "sites.toml", SITE)
        self.token = read_token(self.home)
        self.parts: dict[tuple[Role, int], Part] = {}
        self._ports: set[int] = set()
        for number in range(self.collectors):
            self._add("collector", number, self._collector(number))
        for number in range(self.workers):
            self._add("worker", number, self._worker(number))
        for number in range(self.query_apis):
            self._add("query_api", number, self._query_api())
        for number in range(self.refreshers):
            self._add("refresher", number, self._refresher())
        self.write_port, self.read_port = self._port(), self._port()
        self._add("nginx", 0, self._nginx())

    @property
    def sites(self) -> list[Site]:
        return list(load_sites(self.home / "sites.toml"))

    @property
    def write_url(self) -> str:
        """Where clients send events: nginx."""
        return f"http://127.0.0.1:{self.write_port}"

    @property
    def read_url(self) -> str:
        """Where readers ask: nginx."""
        return f"http://127.0.0.1:{self.read_port}"

    def part(self, role: Role, number: int = 0) -> Part:
        return self.parts[role, number]

    def of(self, role: Role) -> list[Part]:
        """All of a role."""
        return [part for (each, _), part in self.parts.items() if each == role]

    def start(self) -> None:
        """Starts all; returns when each is ready."""
        for part in self.of("collector"):
            part.start()
        # They make the topics that workers wait for.
        collector = self.part("collector")
        until(lambda: collector.metrics().get("logektor_kafka_up") == 1, "a collector reaches Kafka", READY_SECONDS)
        rest = [part for part in self.parts.values() if part not in self.of("collector")]
        for part in rest:
            part.start()
        for part in self.parts.values():
            part.wait_until_ready()

    def kill(self, role: Role, number: int = 0) -> None:
        """SIGKILL."""
        self.part(role, number).kill()

    def restart(self, role: Role, number: int = 0) -> None:
        """Starts what was killed or stopped again; returns when it is ready."""
        part = self.part(role, number)
        part.start()
        part.wait_until_ready()

    def lag(self) -> int:
        """Records in Kafka that are not landed yet. Raises KafkaException where it does not answer."""
        asking = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "unused", "log_level": 0})
        try:
            known = asking.list_topics(timeout=10).topics
            places = [
                TopicPartition(name, number) for name in _LANDED if name in known for number in known[name].partitions
            ]
            ends = sum(asking.get_watermark_offsets(place, timeout=10)[1] for place in places)
        finally:
            asking.close()
        return ends - sum(landed_offsets(self.lake).values())

    def settled(self) -> bool:
        """Whether every event that was accepted is landed: no spool holds one, and no worker lags."""
        return not any(self.folder.glob("collector-*/spool/*.sqlite3*")) and self.lag() == 0

    def stop(self) -> None:
        """Stops all, whatever state they are in: first what is written to, then what lands it."""
        for part in reversed(self.parts.values()):
            part.stop()

    def _add(self, role: Role, number: int, part: Part) -> None:
        self.parts[role, number] = part

    def _port(self) -> int:
        while (port := free_port()) in self._ports:
            pass
        self._ports.add(port)
        return port

    def _part(self, name: str, module: Sequence[str], told: Mapping[str, str], port: int, ready: str) -> Part:
        """A part of our own; `ready` is the path that tells whether it is."""
        common = {
            "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "LOGEKTOR_LAKE_URI": self.lake.uri,
        }
        command = [sys.executable, "-m", *module]
        return Part(name, command, {**common, **told}, self._log(name), port, lambda part: part.answers(ready))

    def _log(self, name: str) -> Path:
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        return logs / f"{name}.log"

    def _collector(self, number: int) -> Part:
        home = self.folder / f"collector-{number}"
        home.mkdir()
        shutil.copy(self.home / "sites.toml", home)
        port = self._port()
        told = {
            "LOGEKTOR_HOME": str(home),
            "LOGEKTOR_COLLECTOR_PORT": str(port),
            "LOGEKTOR_DEFAULT_SITE": SITE,
            "LOGEKTOR_TRUSTED_PROXIES": "127.0.0.1",
            **self.collector_settings,
        }
        return self._part(f"collector-{number}", ["ingest_api"], told, port, "/health/ready")

    def _worker(self, number: int) -> Part:
        home = self.folder / f"worker-{number}"
        home.mkdir()
        port = self._port()
        told = {"LOGEKTOR_HOME": str(home), "LOGEKTOR_LANDING_METRICS_PORT": str(port)}
        return self._part(f"worker-{number}", ["pipelines.landing"], told, port, "/metrics")

    def _query_api(self) -> Part:
        port = self._port()
        told = {"LOGEKTOR_HOME": str(self.home), "LOGEKTOR_QUERY_PORT": str(port)}
        return self._part(f"query_api-{port}", ["query_api"], told, port, "/health/ready")

    def _refresher(self) -> Part:
        command = [sys.executable, "-m", "tests.scale.refreshing", str(self.home), self.lake.uri]
        return Part("refresher", command, {}, self._log("refresher"), 0, lambda _: True)

    def _nginx(self) -> Part:
        prefix = self.folder / "nginx"
        prefix.mkdir()
        configuration = configure_nginx(
            self.folder / "nginx-configuration",
            [part.port for part in self.of("collector")],
            [part.port for part in self.of("query_api")],
            self.write_port,
            self.read_port,
        )
        command = nginx_command(configuration, prefix)
        return Part(
            "nginx", command, {}, self._log("nginx"), self.write_port, lambda part: part.answers("/balancer/live")
        )


def nginx_command(configuration: Path, prefix: Path) -> list[str]:
    """nginx in the foreground. Started by root, it would run its workers as somebody who can't reach the folder."""
    extra = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "needs nginx: Debian's nginx-light"
    return [nginx, "-p", str(prefix), "-c", str(configuration / "nginx.conf"), "-g", extra]


def configure_nginx(
    folder: Path, collectors: Sequence[int], query_apis: Sequence[int], write_port: int, read_port: int
) -> Path:
    """A copy of deploy/nginx with other ports; answers its folder."""
    shutil.copytree(NGINX, folder)
    upstreams = folder / "upstreams.conf"
    text = upstreams.read_text()
    for port, ports in ((8080, collectors), (8000, query_apis)):
        example = re.search(rf"\n    server 127\.0\.0\.1:{port} .*;", text)
        assert example
        lines = (example[0].replace(f":{port} ", f":{other} ") for other in ports)
        text = text.replace(example[0], "".join(lines))
    upstreams.write_text(text)
    servers = folder / "servers.conf"
    text = servers.read_text()
    for port, other in ((8081, write_port), (8001, read_port)):
        assert f"listen {port};" in text
        text = text.replace(f"listen {port};", f"listen 127.0.0.1:{other};")
    servers.write_text(text)
    return folder
