"""A whole deployment at 60% of what it can take, for half an hour, with a fault each minute: nothing lost or doubled.

Writes docs/benchmarks/soak.md with its picture.
"""

import itertools
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median, quantiles

import polars as pl
import psutil
from confluent_kafka import KafkaException
from rich.console import Console

from benchmarks.measured import Measured, at_most, commit, machine
from benchmarks.soak_clients import BATCH, CLIENTS, Clients
from benchmarks.timeline import Line, Panel, picture
from lake.audit import audit
from lake.events_table import taken_in
from lake.location import Lake
from lake.raw import scan_raw_events
from lake.table_version import open_version
from logektor.embedded_kafka import resolve
from logektor.settings import StackSettings
from pipelines.landing.gaps import landed_offsets
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from tests.conftest import RunningKafka, running_kafka
from tests.scale.deployment import SITE, Deployment, Role
from tests.scale.load import Readers
from tests.scale.server_process import until

MINUTES = 30
CAPACITY_SECONDS = 60.0
SHARE = 0.6

_LOOK_SECONDS = 2.0
_AWAY_SECONDS = 5.0
_HANGS_SECONDS = 15.0
_SETTLE_SECONDS = 900.0

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks" / "soak.md"

Fault = tuple[str, Callable[[], None]]


def run(console: Console) -> list[Measured]:
    """Capacity first, then the faults under load, then the count of every event that was answered 202."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(running_kafka(resolve(StackSettings().kafka_cache.expanduser()), folder / "kafka"))
        deployment = Deployment(folder, kafka.bootstrap_servers, refreshers=1)
        stack.callback(deployment.stop)
        deployment.start()
        clients = Clients(deployment.write_url)
        capacity = _capacity(deployment, clients)
        rate = SHARE * capacity
        console.print(f"Accepted and landed at full speed: {capacity:,.0f} events/s; soaking at {rate:,.0f}")
        path = f"/api/reports/traffic?site={SITE}"
        with Readers(deployment.read_url, deployment.token, path, clients=1) as early:
            until(lambda: early.reads > len(early.failed) + 1, "a first refresh has made the report", _SETTLE_SECONDS)
        readers = stack.enter_context(Readers(deployment.read_url, deployment.token, path, clients=1))
        watch = Watch(deployment, kafka, clients)
        happened = _soak(watch, list(_faults(deployment, kafka)), rate)
        until(deployment.settled, "all that was accepted is landed", _SETTLE_SECONDS)
        deployment.part("refresher").stop()
        bring_up_to_date(deployment.lake, REPORTS, deployment.sites)
        for answer, count in Counter(readers.failed).most_common(5):
            console.print(f"{count} reads failed: {answer}")
        results = [*_counted(deployment.lake, clients), *watch.results(), *_reads(readers)]
    results = [Measured("capacity", capacity, "events/s"), Measured("rate of the soak", rate, "events/s"), *results]
    _write(results, watch, happened)
    return results


def _capacity(deployment: Deployment, clients: Clients) -> float:
    """Events a second that are both accepted and landed, with a refresh running; returns when all is landed."""
    before, began = sum(landed_offsets(deployment.lake).values()), time.monotonic()
    clients.run(CAPACITY_SECONDS)
    landed = sum(landed_offsets(deployment.lake).values()) - before
    seconds = time.monotonic() - began
    until(deployment.settled, "all of the first minute is landed", _SETTLE_SECONDS)
    return min(landed, len(clients.accepted) * BATCH) / seconds


def _soak(watch: "Watch", faults: Sequence[Fault], rate: float) -> list[tuple[float, str]]:
    """When each fault was, in seconds since the start."""
    happened: list[tuple[float, str]] = []
    stopping = threading.Event()
    trouble: list[BaseException] = []

    def bring_faults() -> None:
        for minute, (name, fault) in enumerate(itertools.cycle(faults)):
            if stopping.wait(max(0.0, watch.began + 30 + 60 * minute - time.monotonic())):
                return
            happened.append((time.monotonic() - watch.began, name))
            fault()

    def reported(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=reported, args=(work,)) for work in (bring_faults, lambda: watch.run(stopping))]
    watch.began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        watch.clients.run(MINUTES * 60, rate)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if trouble:
        raise trouble[0]
    return happened


def _faults(deployment: Deployment, kafka: RunningKafka) -> Iterator[Fault]:
    """One of each kind after the other; a killed process is started again after some seconds, as by a supervisor."""

    def killed(role: Role, number: int) -> Fault:
        def fault() -> None:
            deployment.kill(role, number)
            time.sleep(_AWAY_SECONDS)
            deployment.restart(role, number)

        return f"{role.replace('_', ' ')} {number + 1} killed", fault

    def hung(role: Role, number: int) -> Fault:
        def fault() -> None:
            deployment.part(role, number).pause()
            time.sleep(_HANGS_SECONDS)
            deployment.part(role, number).resume()

        return f"{role.replace('_', ' ')} {number + 1} hangs for {_HANGS_SECONDS:g} s", fault

    def broker() -> None:
        kafka.kill()
        time.sleep(_AWAY_SECONDS)
        kafka.start()

    def reload() -> None:
        process = deployment.part("nginx").process
        assert process is not None  # noqa: S101 - it was started
        process.send_signal(signal.SIGHUP)

    yield killed("collector", 0)
    yield killed("worker", 0)
    yield killed("query_api", 0)
    yield "broker killed", broker
    yield hung("worker", 1)
    yield killed("refresher", 0)
    yield hung("collector", 1)
    yield killed("worker", 2)
    yield killed("collector", 2)
    yield killed("query_api", 1)
    yield "nginx reloaded", reload


class Watch:
    """Looks at a deployment every few seconds; each value with the seconds since `began`."""

    def __init__(self, deployment: Deployment, kafka: RunningKafka, clients: Clients) -> None:
        self.began = time.monotonic()
        self.clients = clients
        self._deployment = deployment
        self._kafka = kafka
        self._ends: list[tuple[float, int]] = []
        self._answers_seen = len(clients.answers)
        self._first_answer = self._answers_seen
        self.rate: list[tuple[float, float]] = []
        self.p50: list[tuple[float, float]] = []
        self.p99: list[tuple[float, float]] = []
        self.lag: list[tuple[float, float]] = []
        self.landed: list[tuple[float, float]] = []
        self.reports: list[tuple[float, float]] = []
        self.memory: dict[str, list[tuple[float, float]]] = {}

    def run(self, stopping: threading.Event) -> None:
        """Until it is told to stop."""
        before = time.monotonic()
        while not stopping.wait(_LOOK_SECONDS):
            now = time.monotonic()
            self._look_at_answers(now, now - before)
            self._look_at_progress(now)
            self._look_at_memory(now)
            before = now

    def _look_at_answers(self, now: float, seconds: float) -> None:
        at = now - self.began
        took = [each * 1_000 for _, each in self.clients.answers[self._answers_seen :]]
        self._answers_seen += len(took)
        self.rate.append((at, len(took) * BATCH / seconds))
        if len(took) >= 2:
            self.p50.append((at, median(took)))
            self.p99.append((at, quantiles(took, n=100)[98]))

    def _look_at_progress(self, now: float) -> None:
        at = now - self.began
        landed = sum(landed_offsets(self._deployment.lake).values())
        taken = sum(taken_in(open_version(self._deployment.lake, EVENTS)).values())
        try:
            end = self._deployment.lag() + landed
        except KafkaException:
            # What is accepted meanwhile is in the spools: the ages below go on with what Kafka had.
            end = self._ends[-1][1] if self._ends else landed
        self._ends.append((now, end))
        self.lag.append((at, max(0, end - landed)))
        self.landed.append((at, self._age(now, landed)))
        self.reports.append((at, self._age(now, taken)))

    def _age(self, now: float, reached: int) -> float:
        """For how many seconds there is more in Kafka than so many records."""
        return next((now - then for then, end in self._ends if end > reached), 0.0)

    def _look_at_memory(self, now: float) -> None:
        roles: tuple[Role, ...] = ("collector", "worker", "query_api", "refresher")
        for role in roles:
            highest = max(part.memory() for part in self._deployment.of(role))
            self.memory.setdefault(role.replace("_", " "), []).append((now - self.began, highest / 2**20))
        broker = 0
        with suppress(psutil.NoSuchProcess):
            broker = psutil.Process(self._kafka.processes[-1].pid).memory_info().rss
        self.memory.setdefault("broker", []).append((now - self.began, broker / 2**20))

    def results(self) -> list[Measured]:
        """What the lines come to."""
        took = [each * 1_000 for _, each in self.clients.answers[self._first_answer :]]
        parts = quantiles(took, n=1_000)
        return [
            Measured("202 of a batch through nginx, median", parts[499], "ms"),
            Measured("the same, p99", parts[989], "ms"),
            Measured("the same, longest", max(took), "ms"),
            Measured("batches sent again by their clients", self.clients.sent_again, "requests"),
            Measured("lag of landing, median", median(_values(self.lag)), "records"),
            Measured("lag of landing, highest", max(_values(self.lag)), "records"),
            Measured("age of the oldest record not landed, median", median(_values(self.landed)), "s"),
            Measured("the same, highest", max(_values(self.landed)), "s"),
            Measured("age of the oldest record not in `events`, median", median(_values(self.reports)), "s"),
            Measured("the same, highest", max(_values(self.reports)), "s"),
            *(
                Measured(f"RSS of a {role} at its highest", max(_values(line)), "MiB")
                for role, line in self.memory.items()
            ),
        ]

    def panels(self) -> list[Panel]:
        """The lines."""
        return [
            Panel("events a second answered 202", {"events/s": self.rate}),
            Panel("202 of a batch, ms", {"median": self.p50, "p99": self.p99}),
            Panel("lag of landing, records", {"lag": self.lag}),
            Panel("age of the oldest record that is not there yet, s", {"landed": self.landed, "events": self.reports}),
            Panel("RSS of the largest of each, MiB", self.memory),
        ]


def _values(line: Line) -> list[float]:
    return [value for _, value in line]


def _counted(lake: Lake, clients: Clients) -> list[Measured]:
    """Every event that was answered 202, by its id: in the landed rows, and in the table that reports are made of."""
    numbers = pl.col("event_id").str.split_exact("-", 1).struct.field("field_0").cast(pl.Int64)
    accepted = pl.LazyFrame({"batch": clients.accepted}, {"batch": pl.Int64})

    def by_batch(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.group_by(batch=numbers).agg(rows=pl.len(), unique=pl.col("event_id").n_unique())

    def counted(rows: pl.LazyFrame) -> pl.DataFrame:
        both = accepted.join(by_batch(rows), on="batch", how="left").with_columns(pl.col("rows", "unique").fill_null(0))
        return both.select(
            lost=(BATCH - pl.col("unique")).sum(), double=(pl.col("rows") - pl.col("unique")).sum()
        ).collect(engine="streaming")

    landed, clean = counted(scan_raw_events(lake)), counted(open_version(lake, EVENTS).scan())
    audited = audit(lake).partitions
    return [
        Measured("events answered 202", len(clients.accepted) * BATCH, "events"),
        at_most("lost", clean["lost"][0], "events", 0),
        at_most("double in `events`", clean["double"][0], "events", 0),
        Measured("landed again, so counted once", landed["double"][0], "events"),
        at_most("audit: records missing", sum(each.missing for each in audited), "records", 0),
        at_most("audit: rows doubled", sum(each.doubled for each in audited), "rows", 0),
    ]


def _reads(readers: Readers) -> list[Measured]:
    return [
        Measured("reads of a report meanwhile", readers.reads, "reads"),
        at_most("failed reads", len(readers.failed), "reads", 0),
    ]


def _write(results: Sequence[Measured], watch: Watch, happened: Sequence[tuple[float, str]]) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    drawing = picture(watch.panels(), happened, MINUTES * 60)
    REPORT.with_suffix(".svg").write_text(drawing, encoding="utf-8")
    holds = {None: "", True: "yes", False: "**no**"}
    rows = [
        f"| {each.name} | {each.value:,.{0 if each.value >= 100 or each.value == 0 else 1}f} | {each.unit} "
        f"| {each.bar or ''} | {holds[each.holds]} |"
        for each in results
    ]
    faults = [f"| {at / 60:.1f} | {what} |" for at, what in happened]
    text = f"""# A soak: {MINUTES} minutes at {SHARE:.0%} of capacity, a fault each minute

Written by `uv run python -m benchmarks soak` on {machine()}; commit {commit()}.
All parts, nginx, the broker and the {CLIENTS} clients that send batches of {BATCH} share this machine. Capacity is
what was accepted and landed a second at full speed over {CAPACITY_SECONDS:g} s.

| what | value | unit | bar | holds |
|---|---:|---|---|---|
{chr(10).join(rows)}

![over time](soak.svg)

A grey line is a fault; a killed process is started again after {_AWAY_SECONDS:g} s. While the broker is away, events
are in the collectors' spools: neither lag nor ages see them.

| minute | fault |
|---:|---|
{chr(10).join(faults)}
"""
    REPORT.write_text(text, encoding="utf-8")
