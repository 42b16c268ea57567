"""The topics, their shape in the broker and their keys."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Topic:
    """A topic as it is created where it does not exist yet.

    `retention` counts from a record's timestamp. A broker deletes whole segments of a log, each when its last record
    expires; one that holds records of more than `segment` is not made, so a record outlives its retention by at most
    that, and by the minutes of the broker's own rounds. Without it the cluster's default holds, usually a week.
    `replication` is the number of copies, and `min_insync` how many must have a record before it is acknowledged; the
    cluster's defaults hold where they are None. `compression` is Kafka's word for how the broker keeps records.
    """

    name: str
    partitions: int
    retention: timedelta
    max_record_bytes: int
    segment: timedelta | None = None
    replication: int | None = None
    min_insync: int | None = None
    compression: str = "producer"


EVENTS = Topic("logektor.events.v1", partitions=4, retention=timedelta(days=7), max_record_bytes=1_000_000)
REJECTED = Topic("logektor.rejected.v1", partitions=1, retention=timedelta(days=7), max_record_bytes=1_000_000)
SALTS = Topic(
    "logektor.salts.v1",
    partitions=1,
    retention=timedelta(hours=72),
    max_record_bytes=10_000,
    # The salts of two dates, a day apart by their timestamps, never share a segment.
    segment=timedelta(hours=12),
)


def event_key(site: str, visitor_id: str | None) -> bytes | None:
    """Keeps a visitor's events in order and spreads a site over all stream partitions; no visitor, any partition."""
    return f"{site}\x1f{visitor_id}".encode() if visitor_id is not None else None
