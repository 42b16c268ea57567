"""What the collector counts. Labels are bounded: sites of sites.toml and the codes of the source."""

import collections
from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Gauge, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

events_accepted: collections.Counter[str] = collections.Counter()
"""By site. A plain count, because raising a Prometheus counter costs as much as validating an event."""


class _EventsAccepted(Collector):
    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "logektor_events_accepted", "Events answered 202: acknowledged by Kafka.", labels=["site"]
        )
        for site, count in list(events_accepted.items()):
            family.add_metric([site], count)
        yield family


REGISTRY.register(_EventsAccepted())

EVENTS_REJECTED = Counter(
    "logektor_events_rejected", "Events that break a rule; each is kept on the rejected topic.", ["site", "reason"]
)
REQUESTS_REFUSED = Counter(
    "logektor_requests_refused",
    "Requests refused as a whole, nothing of them is kept; no site where none is known.",
    ["site", "reason"],
)
REQUESTS_NOT_DURABLE = Counter(
    "logektor_requests_not_durable", "Requests answered 503: Kafka did not acknowledge every event in time."
)
REQUESTS_FAILED = Counter("logektor_requests_failed", "Requests answered 500: a fault of the collector itself.")
KAFKA_UP = Gauge("logektor_kafka_up", "1 while Kafka is reachable, else 0.")
REQUESTS_WAITING = Gauge("logektor_requests_waiting", "Requests that wait for Kafka to acknowledge their events.")
SITES_TROUBLE = Gauge(
    "logektor_sites_trouble", "1 while sites.toml can't be read and the sites known before stay in use, else 0."
)
