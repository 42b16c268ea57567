"""What the collector counts. Labels are bounded: sites of sites.toml and the codes of the source."""

from prometheus_client import Counter, Gauge

EVENTS_ACCEPTED = Counter("logektor_events_accepted", "Events answered 202: acknowledged by Kafka.", ["site"])
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
SITES_TROUBLE = Gauge(
    "logektor_sites_trouble", "1 while sites.toml can't be read and the sites known before stay in use, else 0."
)

_accepted_by_site: dict[str, Counter] = {}


def accepted(site: str) -> None:
    """One more accepted event. Looking a label up costs as much as validating an event, so it is done once a site."""
    counter = _accepted_by_site.get(site)
    if counter is None:
        counter = _accepted_by_site.setdefault(site, EVENTS_ACCEPTED.labels(site))
    counter.inc()
