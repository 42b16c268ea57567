"""The topics, their shape in the broker and their keys."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Topic:
    """A topic as it is created where it does not exist yet."""

    name: str
    partitions: int
    retention: timedelta
    max_record_bytes: int


EVENTS = Topic("logektor.events.v1", partitions=4, retention=timedelta(days=7), max_record_bytes=1_000_000)
REJECTED = Topic("logektor.rejected.v1", partitions=1, retention=timedelta(days=7), max_record_bytes=1_000_000)


def event_key(site: str, visitor_id: str | None) -> bytes | None:
    """Keeps a visitor's events in order and spreads a site over all stream partitions; no visitor, any partition."""
    return f"{site}\x1f{visitor_id}".encode() if visitor_id is not None else None
