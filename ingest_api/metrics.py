"""What the collector counts. Labels are bounded: sites of sites.toml and the codes of the source.

The worker processes of a collector count into files that they share, and each answers /metrics with the sum.
"""

from collections import Counter as Tally
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

events_accepted: Tally[str] = Tally()
"""By site, since the last `count_accepted`: raising a Prometheus counter costs as much as validating an event."""

EVENTS_ACCEPTED = Counter("logektor_events_accepted", "Events answered 202: they are durable.", ["site"])
EVENTS_REJECTED = Counter(
    "logektor_events_rejected",
    "Events that break a rule; kept on the rejected topic, within bounds.",
    ["site", "reason"],
)
REJECTIONS_NOT_KEPT = Counter(
    "logektor_rejections_not_kept",
    "Rejected events past the bound of what is kept of a site: the answer says that they are not on the topic.",
    ["site", "reason"],
)
EVENTS_DROPPED = Counter(
    "logektor_events_dropped",
    "Events answered 202 and not stored, by the site's do_not_track or bots policy.",
    ["site", "reason"],
)
REQUESTS_REFUSED = Counter(
    "logektor_requests_refused",
    "Requests refused as a whole, nothing of them is kept; no site where none is known.",
    ["site", "reason"],
)
REQUESTS_NOT_DURABLE = Counter(
    "logektor_requests_not_durable", "Requests answered 503: neither Kafka nor the disk spool took every event."
)
REQUESTS_FAILED = Counter("logektor_requests_failed", "Requests answered 500: a fault of the collector itself.")
KAFKA_UP = Gauge(
    "logektor_kafka_up",
    "1 while every worker process reaches Kafka and its topics, else 0.",
    multiprocess_mode="livemin",
)
REQUESTS_WAITING = Gauge(
    "logektor_requests_waiting", "Requests that wait until their events are durable.", multiprocess_mode="livesum"
)
SPOOLED = Counter("logektor_spooled", "Records that the disk spool took because Kafka did not.")
SPOOL_DRAINED = Counter("logektor_spool_drained", "Records of the disk spool that Kafka has acknowledged since.")
SPOOL_RECORDS = Gauge(
    "logektor_spool_records", "Records in the disk spool that wait for Kafka.", multiprocess_mode="livesum"
)
SPOOL_BYTES = Gauge("logektor_spool_bytes", "Size of the disk spool's files in bytes.", multiprocess_mode="livesum")
SPOOL_OLDEST = Gauge(
    "logektor_spool_oldest_seconds",
    "Age of the oldest record in the disk spool in seconds; 0 while it is empty.",
    multiprocess_mode="livemax",
)
SITES_TROUBLE = Gauge(
    "logektor_sites_trouble",
    "1 while sites.toml can't be read and the sites known before stay in use, else 0.",
    multiprocess_mode="livemax",
)
COUNTRY_FILE_TROUBLE = Gauge(
    "logektor_country_file_trouble",
    "1 while a new country file can't be used and the countries known before stay in use, else 0.",
    multiprocess_mode="livemax",
)


def count_accepted() -> None:
    """Passes on what `events_accepted` holds."""
    for site, count in list(events_accepted.items()):
        EVENTS_ACCEPTED.labels(site).inc(count)
    events_accepted.clear()


def exposition() -> bytes:
    """All values of all worker processes of this collector, as Prometheus reads them."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library types most, not this
    return generate_latest(registry)


def forget_the_dead(folder: Path) -> None:
    """Takes the gauges of killed worker processes out of the sum; what they counted stays in it."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as above
