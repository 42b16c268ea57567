"""`logektor up`: prepares the home, runs all parts until Ctrl-C, and says what happens."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from dagster_project.instance import write_instance
from event_stream.kafka_topics import ensure_topics
from lake.location import Lake
from logektor.embedded_kafka import EmbeddedKafka, EmbeddedKafkaError, free_port, resolve
from logektor.errors import PortTaken, StackError
from logektor.homes import announce
from logektor.migrate import migrate_before_start
from logektor.running import Running, RunningPart, created_at, end_leftovers, hold, write_running
from logektor.screens import crash_line, ready_line, status_screen
from logektor.settings import StackSettings
from logektor.stack import dagster_workspace, parts
from logektor.supervisor import Child, State, Supervisor
from query_api.tokens import read_token
from sites import register_site

STOP_SECONDS = 14.0
"""The one deadline that all parts share when the stack stops."""

TOPICS_SECONDS = 30.0


def up(settings: StackSettings, demo: bool, console: Console) -> None:
    """Runs the stack until SIGINT or SIGTERM. Raises StackError, SitesError or TableNewer with a sentence."""
    with hold(settings.home):
        for name in end_leftovers(settings.home):
            console.print(f"[yellow]ended[/] {name}, left over from an `up` that was killed")
        require_free_ports(settings)
        announce(settings.home)
        migrate_before_start(Lake(settings.lake), console)
        try:
            Stack(settings, demo, console).run()
        except EmbeddedKafkaError as error:
            raise StackError(str(error)) from error


def require_free_ports(settings: StackSettings) -> None:
    """Raises PortTaken where another program listens on a port that the stack needs."""
    wanted = [
        ("collector", settings.host, settings.collector_port),
        ("query", settings.host, settings.query_port),
        ("dagster", settings.host, settings.dagster_port),
    ]
    if settings.kafka_bootstrap_servers is None:
        wanted.append(("kafka", "127.0.0.1", settings.kafka_port))
    for name, host, port in wanted:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise PortTaken(
                    f"Port {port} ({name}) on {host} can't be used: {error.strerror}. Stop the program that listens "
                    f"there, or choose another port: --{name}-port, or LOGEKTOR_{name.upper()}_PORT."
                ) from error


class Stack:
    """One run of the stack."""

    def __init__(self, settings: StackSettings, demo: bool, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._started = time.monotonic()
        self._token = read_token(settings.home)
        home = settings.home
        (home / "logs").mkdir(parents=True, exist_ok=True)
        register_site(settings.sites_file, settings.default_site)
        code_port = free_port()
        (write_instance(home).parent / "workspace.yaml").write_text(dagster_workspace(code_port), encoding="utf-8")
        kafka = self._embedded_kafka()
        self._supervisor = Supervisor(
            parts(settings, kafka, code_port, os.getpid(), demo), home / "logs", self._on_change
        )

    def run(self) -> None:
        """Until a signal asks to stop."""
        if self._settings.kafka_bootstrap_servers is not None:
            self._create_topics()
        stopping = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        shown = False
        try:
            while not stopping.is_set():
                self._supervisor.tick()
                if self._supervisor.all_healthy and not shown:
                    shown = True
                    self._console.print(status_screen(self._running(), self._token, self._seconds()), crop=False)
                stopping.wait(0.1)
        finally:
            self._console.print("Stopping …")
            self._supervisor.stop(time.monotonic() + STOP_SECONDS)
            self._console.print("Stopped. Everything is kept in " + str(self._settings.home))

    def _embedded_kafka(self) -> EmbeddedKafka | None:
        if self._settings.kafka_bootstrap_servers is not None:
            return None
        with download_progress(self._console) as progress:
            distribution = resolve(self._settings.kafka_cache.expanduser(), progress)
        kafka = EmbeddedKafka(distribution, self._settings.home / "kafka", self._settings.kafka_port)
        kafka.prepare()
        return kafka

    def _create_topics(self) -> None:
        ensure_topics(self._settings.kafka, self._settings.topics, TOPICS_SECONDS)

    def _on_change(self, child: Child) -> None:
        if child.part.name == "kafka" and child.state is State.HEALTHY:
            self._create_topics()
        if child.state is State.HEALTHY:
            self._console.print(ready_line(child.part.name, self._seconds()))
        if child.state in {State.CRASHED, State.UNHEALTHY}:
            self._console.print(crash_line(child, self._settings.home / "logs" / f"{child.part.name}.log"))
        write_running(self._settings.home, self._running())

    def _running(self) -> Running:
        settings = self._settings
        return Running(
            pid=os.getpid(),
            urls={
                "collector": settings.collector_here,
                "query": settings.query_url,
                "dashboard": settings.query_url + "/",
                "dagster": settings.dagster_url,
            },
            kafka=settings.bootstrap_servers,
            lake=settings.lake,
            parts=[
                RunningPart(child.part.name, child.state, child.restarts, child.pid, created_at(child.pid))
                for child in self._supervisor.children
            ],
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._started


@contextmanager
def download_progress(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that appears at the first byte of a download."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Downloading Apache Kafka (once)", total=None, visible=False)
        yield lambda received, total: bar.update(task, completed=received, total=total, visible=True)
