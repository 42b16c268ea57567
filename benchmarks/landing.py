"""The landing worker against Spark Structured Streaming: the same records of one Kafka into a Delta table each."""

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import UUID

import msgspec
import psutil
from confluent_kafka import Producer
from deltalake import DeltaTable
from rich.console import Console

from benchmarks import spark
from benchmarks.collector import running, running_kafka
from benchmarks.measured import Measured, at_least, at_most, highest_memory
from benchmarks.other_environment import EnvironmentFailed
from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, Event
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_topics import ensure_topics
from event_stream.ports import Record, StreamPartition
from event_stream.topics import EVENTS, REJECTED
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import compact
from lake.raw import count_landed
from lake.raw_schema import EVENT, TABLE
from pipelines.landing.rows import to_rows

RECORDS = 1_000_000
SPARK_TRIGGER = 500_000
COMMITS = 5_000
COMMITS_A_COMPACTION = 600
"""What a commit a second makes in the ten minutes between two compactions."""

SECONDS = 600.0


def run(console: Console) -> list[Measured]:
    """Each rate is that of the table's own commits: rows after the first commit by the time since; so both are warm."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(running_kafka(home))
        ensure_topics(KafkaCluster(kafka), [EVENTS, REJECTED], 60)
        size = _produce(kafka)
        console.print(f"{RECORDS:,} events of {size} bytes in {EVENTS.partitions} stream partitions; {_load()}")
        memory = _land(home / "worker", kafka)
        rate = _rate(home / "worker" / "lake" / TABLE)
        console.print(f"worker: {rate:,.0f} events/s; {_load()}")
        results = [
            Measured("size of an event", size, "bytes"),
            Measured("one worker, validation and dead letters included", rate, "events/s"),
            at_most("RSS of the worker at its highest", memory / 2**20, "MiB", 600),
        ]
        results += _against_spark(console, home, kafka, rate)
        return [*results, *commit_times(console, home)]


def commit_times(console: Console, home: Path) -> list[Measured]:
    """How long a commit of one record takes as the table grows by such commits, left alone and with upkeep."""
    alone, memory = _commit_curve(Lake(str(home / "alone")))
    kept, _ = _commit_curve(Lake(str(home / "kept")), COMMITS_A_COMPACTION)
    results = []
    for name, at in (("left alone", alone), (f"compacted every {COMMITS_A_COMPACTION}", kept)):
        told = ", ".join(f"{value:.1f} ms at {number:,}" for number, value in at.items())
        console.print(f"commit times, {name}: {told}")
        results += [Measured(f"commit at {number:,} commits, {name}", value, "ms") for number, value in at.items()]
        results.append(at_most(f"commit at {COMMITS:,} / at 100, {name}", at[COMMITS] / at[100], "ratio", 2))
    return [*results, at_most("RSS after 2,000 commits / after 200", memory[1_999] / memory[199], "ratio", 1.1)]


def _commit_curve(lake: Lake, commits_a_compaction: int | None = None) -> tuple[dict[int, float], list[int]]:
    """By number of commits the median milliseconds of the last hundred; the RSS after each commit in bytes."""
    table = DeltaLandingTable(lake)
    place = StreamPartition("cluster/events", EVENTS.name, 0)
    key = (place.stream_id, place.partition)
    milliseconds, memory = [], []
    for number in range(COMMITS):
        rows = to_rows({place: [Record(place, number, 0, _event(number))]}, datetime.now(UTC))
        began = time.perf_counter()
        table.append(rows.events, rows.dead_letters, {key: number}, {key: number + 1})
        milliseconds.append((time.perf_counter() - began) * 1_000)
        memory.append(psutil.Process().memory_info().rss)
        if commits_a_compaction and (number + 1) % commits_a_compaction == 0:
            compact(lake, TABLE)
    # As many as lie between some openings of the table, so that each window has its cheap and its dear ones.
    return {number: median(milliseconds[number - 100 : number]) for number in (100, 1_000, COMMITS)}, memory


def _against_spark(console: Console, home: Path, kafka: str, rate: float) -> list[Measured]:
    try:
        spark.land(kafka, EVENTS.name, home / "spark", SPARK_TRIGGER)
    except EnvironmentFailed as error:
        console.print(f"[yellow]The peer was not run:[/] {error}")
        return [Measured("Spark Structured Streaming: peer not run", float("nan"), "events/s")]
    peer = _rate(home / "spark")
    console.print(f"Spark: {peer:,.0f} events/s; {_load()}")
    return [
        Measured(f"Spark Structured Streaming, triggers of {SPARK_TRIGGER:,} records", peer, "events/s"),
        at_least("one worker / Spark", rate / peer, "ratio", 2),
    ]


def _produce(kafka: str) -> int:
    """The average size of an event in bytes."""
    told = {"bootstrap.servers": kafka, "linger.ms": 20, "compression.type": "lz4", "log_level": 0}
    producer = Producer(told)
    size = 0
    for number in range(RECORDS):
        value = _event(number)
        size += len(value)
        while True:
            try:
                producer.produce(EVENTS.name, value, partition=number % EVENTS.partitions)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    return size // RECORDS


def _event(number: int) -> bytes:
    """As the collector writes a page view."""
    return encode_event(
        Event(
            event_id=str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)),
            site="example.com",
            action="pageview",
            object_type="visitor",
            object_id=f"v-{number % 5_000}",
            occurred_at=1_795_501_430_000_000 + number,
            received_at=1_795_501_430_000_100 + number,
            visitor_id=f"v-{number % 5_000}",
            url=f"https://example.com/a/{number % 1_000}",
            properties=msgspec.Raw(b'{"section":"articles","words":1234}'),
            ingest_version=INGEST_VERSION,
        )
    )


def _land(home: Path, kafka: str) -> int:
    """Lands everything with the real process; its highest RSS in bytes."""
    told = {"LOGEKTOR_HOME": str(home), "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": kafka}
    deadline = time.monotonic() + SECONDS
    with (
        running([sys.executable, "-m", "pipelines.landing"], told) as pid,
        highest_memory(lambda: int(psutil.Process(pid).memory_info().rss)) as highest,
    ):
        while count_landed(Lake(str(home / "lake")))[EVENT] < RECORDS:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the worker did not land {RECORDS:,} events within {SECONDS:g} s")
            time.sleep(0.5)
    return max(highest)


def _rate(table: Path) -> float:
    """Rows a second, from the table's first commit of rows to its last."""
    commits: list[tuple[float, int]] = []
    for entry in DeltaTable(str(table)).history():
        told = entry.get("operationMetrics", {})
        # delta-rs and Spark name it differently.
        if rows := int(told.get("num_added_rows") or told.get("numOutputRows") or 0):
            commits.append((entry["timestamp"] / 1_000, rows))
    (first, before), (last, _) = min(commits), max(commits)
    return (sum(rows for _, rows in commits) - before) / (last - first)


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"
