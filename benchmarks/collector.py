"""The collector against a no-op of the same server: single events, each acknowledged by Kafka before its 202."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import httpx
import psutil
from rich.console import Console

from benchmarks.measured import Measured, at_least, at_most
from event_stream.kafka_ends import read_ends
from event_stream.topics import EVENTS
from logektor.embedded_kafka import EmbeddedKafka, free_port, resolve, wait_until_ready
from logektor.settings import StackSettings
from sites import register_site

CONNECTIONS = 256
ROUNDS = 3
SECONDS = 8

_EVENT = (
    '{"action":"pageview","url":"https://localhost/articles/42?utm_source=news","referrer":"https://example.org/",'
    '"title":"The forty-second article","language":"en-GB","screenWidth":1440,"datetimeStamp":%d,"visitorId":"v-4711",'
    '"properties":{"section":"articles","words":1234}}'
)


def run(console: Console) -> list[Measured]:
    """Alternates the two servers over several rounds; the values are medians, memory is the worker process's."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk: install Debian's package `wrk`.")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(_kafka(home))
        collector, pid = stack.enter_context(_collector(home, kafka))
        no_op = stack.enter_context(_no_op())
        script = home / "event.lua"
        body = _EVENT % int(time.time())
        script.write_text(
            f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = '{body}'\n"
        )
        idle = _worker_memory(pid)
        rates: dict[str, list[float]] = {collector: [], no_op: []}
        with _highest_memory(pid) as highest:
            for number in range(ROUNDS):
                for url in (no_op, collector):
                    rates[url].append(_wrk(url, script))
                console.print(
                    f"round {number + 1}: no-op {rates[no_op][-1]:,.0f}/s, collector {rates[collector][-1]:,.0f}/s"
                )
        in_kafka = sum(read_ends(kafka, [EVENTS], 10).values())
    ratio = median(one / other for one, other in zip(rates[collector], rates[no_op], strict=True))
    return [
        Measured("no-op ASGI path", median(rates[no_op]), "requests/s"),
        Measured("collector, each event acknowledged", median(rates[collector]), "requests/s"),
        at_least(f"collector / no-op at {CONNECTIONS} connections", ratio, "ratio", 0.6),
        Measured("events in Kafka", in_kafka, "records"),
        at_most("RSS of the worker process, idle", idle / 2**20, "MiB", 80),
        at_most("RSS of the worker process, under load", max(highest) / 2**20, "MiB", 160),
    ]


@contextmanager
def _kafka(home: Path) -> Iterator[str]:
    distribution = resolve(StackSettings().kafka_cache.expanduser())
    kafka = EmbeddedKafka(distribution, home / "kafka", free_port())
    kafka.prepare()
    with _process(kafka.command(), {}):
        wait_until_ready(kafka.bootstrap_servers, 60)
        yield kafka.bootstrap_servers


@contextmanager
def _collector(home: Path, kafka: str) -> Iterator[tuple[str, int]]:
    register_site(home / "sites.toml", "localhost")
    port = free_port()
    told = {
        "LOGEKTOR_HOME": str(home),
        "LOGEKTOR_COLLECTOR_PORT": str(port),
        "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "LOGEKTOR_DEFAULT_SITE": "localhost",
    }
    with _process([sys.executable, "-m", "ingest_api"], told) as pid:
        _await(f"http://127.0.0.1:{port}/health/ready")
        yield f"http://127.0.0.1:{port}/track", pid


@contextmanager
def _no_op() -> Iterator[str]:
    port = free_port()
    with _process([sys.executable, "-m", "benchmarks.no_op", str(port)], {}):
        _await(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/track"


@contextmanager
def _process(command: list[str], told: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        command, env={**os.environ, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=1).status_code < 300:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer within {seconds:g} s")


def _wrk(url: str, script: Path) -> float:
    """Requests per second that were answered 2xx. Raises RuntimeError where any was not."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None:
        raise RuntimeError(said)
    return float(found[1])


def _worker_memory(pid: int) -> int:
    """Of the process that takes requests: granian's child."""
    return max(child.memory_info().rss for child in psutil.Process(pid).children())


@contextmanager
def _highest_memory(pid: int) -> Iterator[list[int]]:
    highest = [0]
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.1):
            highest.append(_worker_memory(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield highest
    finally:
        stopping.set()
        thread.join()
