"""The collector against a no-op of the same server: each event is acknowledged by Kafka before its 202."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import psutil
from rich.console import Console

from benchmarks.measured import Measured, at_least, at_most, highest_memory
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_ends import read_ends
from event_stream.topics import EVENTS
from logektor.embedded_kafka import EmbeddedKafka, free_port, resolve, wait_until_ready
from logektor.settings import StackSettings
from sites import register_site

LEAST_SHARES = {64: 0.45, 256: 0.70, 1024: 0.70}
"""By number of connections: what the collector should reach of the no-op's requests per second."""

ROUNDS = 3
SECONDS = 6
BATCH_EVENTS = 100
BATCH_CONNECTIONS = 32
SOAK_SECONDS = 600

_EVENT = (
    '{"action":"pageview","url":"https://localhost/articles/42?utm_source=news","referrer":"https://example.org/",'
    '"title":"The forty-second article","language":"en-GB","screenWidth":1440,"datetimeStamp":%d,"visitorId":"v-4711",'
    '"properties":{"section":"articles","words":1234}}'
)


@dataclass(frozen=True)
class Collector:
    """A running collector; `pid` is of its main process."""

    url: str
    pid: int


@dataclass(frozen=True)
class Load:
    """What wrk reports. Rates are requests per second, the latency is in milliseconds."""

    rate: float
    p99: float


def run(console: Console) -> list[Measured]:
    """Alternates the servers over several rounds; values are medians, memory is the worker process's."""
    _require_wrk()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(running_kafka(home))
        collector = stack.enter_context(running_collector(home / "one", kafka))
        no_op = stack.enter_context(_no_op())
        idle = _memory(collector.pid)
        results = []
        with highest_memory(partial(_memory, collector.pid)) as highest:
            for connections in LEAST_SHARES:
                results += _shares(console, home, collector, no_op, connections)
            most = results[3].value  # the collector at 256 connections
            results.append(_latency(console, home, collector, most))
            results += _batches(console, home, collector)
        two = stack.enter_context(running_collector(home / "two", kafka, workers=2))
        results.append(_second_worker(console, home, collector, two))
        results.append(
            Measured("events in Kafka", sum(read_ends(KafkaCluster(kafka), [EVENTS], 10).values()), "records")
        )
    return [
        *results,
        at_most("RSS of the worker process, idle", idle / 2**20, "MiB", 80),
        at_most("RSS of the worker process, under load", max(highest) / 2**20, "MiB", 160),
    ]


def soak(console: Console) -> list[Measured]:
    """Ten minutes at half the load that the machine can take: the worker process's memory stays flat."""
    _require_wrk()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        collector = stack.enter_context(running_collector(home / "one", stack.enter_context(running_kafka(home))))
        script = _script(home, "/track", _event(), delay=25)
        _wrk(f"{collector.url}/track", script, 256, 30)
        started = _memory(collector.pid)
        with highest_memory(partial(_memory, collector.pid)) as highest:
            load = _wrk(f"{collector.url}/track", script, 256, SOAK_SECONDS)
        console.print(f"{load.rate:,.0f} events/s over {SOAK_SECONDS} s")
        ended = _memory(collector.pid)
    return [
        Measured("rate over the whole time", load.rate, "events/s"),
        Measured("RSS after half a minute", started / 2**20, "MiB"),
        at_most("RSS at its highest", max(highest) / 2**20, "MiB", 160),
        at_most("RSS in the end / after half a minute", ended / started, "ratio", 1.1),
    ]


def _shares(console: Console, home: Path, collector: Collector, no_op: str, connections: int) -> list[Measured]:
    script = _script(home, "/track", _event())
    rates: dict[str, list[float]] = {f"{no_op}/track": [], f"{no_op}/read": [], f"{collector.url}/track": []}
    for number in range(ROUNDS):
        for url, measured in rates.items():
            measured.append(_wrk(url, script, connections, SECONDS).rate)
        nothing, reading, collecting = (measured[-1] for measured in rates.values())
        console.print(
            f"{connections} connections, round {number + 1}: no-op {nothing:,.0f}/s, "
            f"reading the body {reading:,.0f}/s, collector {collecting:,.0f}/s"
        )
    nothing_rates, reading_rates, collecting_rates = rates.values()
    at = f"at {connections} connections"
    return [
        at_least(
            f"collector / no-op {at}", _ratio(collecting_rates, nothing_rates), "ratio", LEAST_SHARES[connections]
        ),
        Measured(f"collector / no-op that reads the body {at}", _ratio(collecting_rates, reading_rates), "ratio"),
        Measured(f"no-op ASGI path {at}", median(nothing_rates), "requests/s"),
        Measured(f"collector {at}", median(collecting_rates), "requests/s"),
    ]


def _latency(console: Console, home: Path, collector: Collector, most: float) -> Measured:
    """wrk keeps no rate, but a pause after each answer brings it near to one."""
    connections = 256
    pause = round(connections / (most / 2) * 1000)
    load = _wrk(f"{collector.url}/track", _script(home, "/track", _event(), delay=pause), connections, SECONDS)
    console.print(f"{load.rate:,.0f} requests/s with a pause of {pause} ms: p99 {load.p99:.1f} ms")
    return at_most(f"p99 at {load.rate / most:.0%} of the highest rate", load.p99, "ms", 50)


def _batches(console: Console, home: Path, collector: Collector) -> list[Measured]:
    script = _script(home, "/batch", json.dumps([json.loads(_event())] * BATCH_EVENTS, separators=(",", ":")))
    rates = []
    for number in range(ROUNDS):
        rates.append(_wrk(f"{collector.url}/batch", script, BATCH_CONNECTIONS, SECONDS).rate * BATCH_EVENTS)
        console.print(f"batches of {BATCH_EVENTS}, round {number + 1}: {rates[-1]:,.0f} events/s")
    return [
        Measured("size of an event", len(_event()), "bytes"),
        at_least(f"events in batches of {BATCH_EVENTS}", median(rates), "events/s", 130_000),
    ]


def _second_worker(console: Console, home: Path, one: Collector, two: Collector) -> Measured:
    script = _script(home, "/track", _event())
    ratios = []
    for number in range(ROUNDS):
        rates = [_wrk(f"{each.url}/track", script, 256, SECONDS).rate for each in (one, two)]
        ratios.append(rates[1] / rates[0])
        console.print(f"round {number + 1}: one worker {rates[0]:,.0f}/s, two {rates[1]:,.0f}/s")
    name = "two worker processes / one at 256 connections"
    # With fewer, load, broker and collector already share all cores.
    enough = (os.cpu_count() or 1) >= 4
    return at_least(name, median(ratios), "ratio", 1.6) if enough else Measured(name, median(ratios), "ratio")


def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    return median(one / other for one, other in zip(ones, others, strict=True))


def _event() -> str:
    return _EVENT % int(time.time())


def _require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk: install Debian's package `wrk`.")


@contextmanager
def running_kafka(home: Path) -> Iterator[str]:
    """An embedded Kafka; its address."""
    distribution = resolve(StackSettings().kafka_cache.expanduser())
    kafka = EmbeddedKafka(distribution, home / "kafka", free_port())
    kafka.prepare()
    with running(kafka.command(), {}):
        wait_until_ready(kafka.bootstrap_servers, 60)
        yield kafka.bootstrap_servers


@contextmanager
def running_collector(home: Path, kafka: str, workers: int = 1) -> Iterator[Collector]:
    register_site(home / "sites.toml", "localhost")
    port = free_port()
    told = {
        "LOGEKTOR_HOME": str(home),
        "LOGEKTOR_COLLECTOR_PORT": str(port),
        "LOGEKTOR_COLLECTOR_WORKERS": str(workers),
        "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "LOGEKTOR_DEFAULT_SITE": "localhost",
    }
    with running([sys.executable, "-m", "ingest_api"], told) as pid:
        _await(f"http://127.0.0.1:{port}/health/ready")
        yield Collector(f"http://127.0.0.1:{port}", pid)


@contextmanager
def _no_op() -> Iterator[str]:
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.no_op", str(port)], {}):
        _await(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command: list[str], told: dict[str, str]) -> Iterator[int]:
    """A process that is ended with the block; its process id."""
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


def _script(home: Path, path: str, body: str, delay: int = 0) -> Path:
    """What wrk sends; `delay` is its pause after each answer in milliseconds."""
    script = home / f"{path.strip('/')}-{delay}.lua"
    pause = f"function delay() return {delay} end\n" if delay else ""
    script.write_text(
        f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = '{body}'\n{pause}"
    )
    return script


def _wrk(url: str, script: Path, connections: int, seconds: int) -> Load:
    """Raises RuntimeError where any request was not answered 2xx."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", said)
    if "Non-2xx" in said or "Socket errors" in said or rate is None or p99 is None:
        raise RuntimeError(said)
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]])


def _memory(pid: int) -> int:
    """Bytes of the process that takes requests: granian's child."""
    return max(child.memory_info().rss for child in psutil.Process(pid).children())
