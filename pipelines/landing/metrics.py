"""What the landing worker counts, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from confluent_kafka import KafkaException
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_ends import read_ends
from event_stream.ports import StreamPartition
from event_stream.topics import Topic
from pipelines.landing.batch import Batch
from pipelines.landing.rows import Rows

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

EVENTS = Counter("logektor_landed_events", "Events in the table, since the worker started.")
DEAD_LETTERS = Counter(
    "logektor_landed_dead_letters", "Dead letters in the table, since the worker started.", ["reason"]
)
BATCH_RECORDS = Histogram(
    "logektor_landing_batch_records",
    "Records of a batch.",
    buckets=(1, 10, 100, 1_000, 10_000, 25_000, 50_000, 100_000),
)
LANDING_SECONDS = Histogram(
    "logektor_landing_seconds",
    "Seconds from the start of a batch's decoding to the end of its commit.",
    buckets=_SECONDS,
)
DELAY_SECONDS = Histogram(
    "logektor_landing_delay_seconds",
    "Lag in time: seconds from the broker's timestamp of a batch's oldest record to the end of its commit.",
    buckets=(0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0),
)
GAPS = Counter("logektor_landing_gaps", "Gaps in the stream that this start of the worker was told to accept.")
WAITING = Gauge("logektor_landing_waiting_records", "Records that were read and are not landed yet.")

LAG = "logektor_landing_lag_records"
"""Computed when it is asked for: records in Kafka that are not landed yet, by topic and stream partition."""


def count_landed(batch: Batch, rows: Rows, seconds: float, now: float) -> None:
    """Counts a batch that was landed within `seconds`; `now` is Unix seconds."""
    EVENTS.inc(rows.events.num_rows)
    for reason, count in Tally(rows.dead_letters["reason"].to_pylist()).items():
        DEAD_LETTERS.labels(reason).inc(count)
    BATCH_RECORDS.observe(batch.size)
    LANDING_SECONDS.observe(seconds)
    stamped = [records[0].timestamp for records in batch.records.values() if records[0].timestamp >= 0]
    if stamped:
        DELAY_SECONDS.observe(now - min(stamped) / 1_000)


class Lag(Collector):
    """The lag of the stream partitions of one worker; `landed` answers the next offset of each."""

    def __init__(
        self,
        cluster: KafkaCluster,
        topics: Iterable[Topic],
        landed: Callable[[], Mapping[StreamPartition, int | None]],
    ) -> None:
        self._cluster = cluster
        self._topics = list(topics)
        self._landed = landed

    def describe(self) -> list[Metric]:
        return [self._family()]

    def collect(self) -> Iterator[Metric]:
        lag = self._family()
        try:
            ends = read_ends(self._cluster, self._topics, seconds=2.0)
        except KafkaException:
            return
        for place, offset in self._landed().items():
            if place in ends:
                lag.add_metric([place.topic, str(place.partition)], ends[place] - (offset or 0))
        yield lag

    def _family(self) -> GaugeMetricFamily:
        text = "Records in Kafka that are not landed yet; absent while Kafka does not answer."
        return GaugeMetricFamily(LAG, text, labels=["topic", "partition"])


def serving(port: int | None, host: str, lag: Lag) -> AbstractContextManager[None]:
    """Answers GET /metrics on a port while the context lasts; nothing where there is no port."""
    return nullcontext() if port is None else _serving(port, host, lag)


@contextmanager
def _serving(port: int, host: str, lag: Lag) -> Iterator[None]:
    REGISTRY.register(lag)
    server, thread = start_http_server(port, host)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        REGISTRY.unregister(lag)
