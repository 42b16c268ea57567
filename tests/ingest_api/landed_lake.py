"""What a broker holds, landed by the landing worker's own code into a Delta table."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_ends import read_ends
from event_stream.kafka_reader import KafkaReader
from event_stream.topics import EVENTS, REJECTED
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import scan_dead_letters, scan_raw_events
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.worker import LandingWorker

_TOPICS = (EVENTS, REJECTED)
_SECONDS = 30.0


class LandedLake:
    """Lands whenever it is asked; the broker may be one that other tests write to."""

    def __init__(self, folder: Path, bootstrap_servers: str, worker: LandingWorker) -> None:
        self._lake = Lake(str(folder))
        self._bootstrap_servers = bootstrap_servers
        self._worker = worker

    def events(self, of: pl.Expr, count: int) -> pl.DataFrame:
        """The raw events that the condition selects, once they are `count` and all that Kafka held is landed."""
        deadline = time.monotonic() + _SECONDS
        while True:
            self._land(deadline)
            found = scan_raw_events(self._lake).filter(of).collect()
            if found.height >= count or time.monotonic() >= deadline:
                return found

    def dead_letters_with(self, text: str) -> pl.DataFrame:
        """The dead letters landed so far that hold a text."""
        return scan_dead_letters(self._lake).filter(pl.col("body").bin.contains(text.encode())).collect()

    def _land(self, deadline: float) -> None:
        held = sum(read_ends(KafkaCluster(self._bootstrap_servers), _TOPICS, _SECONDS).values())
        while self._worker.landed_events + self._worker.landed_dead_letters < held:
            assert time.monotonic() < deadline, "what Kafka holds was not landed in time"
            self._worker.step()


@contextmanager
def landing(folder: Path, bootstrap_servers: str) -> Iterator[LandedLake]:
    """A lake in this folder and a worker that lands in it."""
    worker = LandingWorker(
        lambda on_assign, on_revoke: KafkaReader(
            KafkaCluster(bootstrap_servers), _TOPICS, f"test-{uuid.uuid4()}", on_assign, on_revoke
        ),
        DeltaLandingTable(Lake(str(folder))),
        BatchRule(max_age=0.1),
        DeadLetterLimit(share=1.0),
        now=lambda: datetime.now(UTC),
    )
    with closing(worker):
        yield LandedLake(folder, bootstrap_servers, worker)
