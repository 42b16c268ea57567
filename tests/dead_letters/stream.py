"""The stream in memory and a lake that is landed in from it, as the worker does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from event_stream.memory import MemoryStream, MemoryWriter
from event_stream.ports import OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED
from lake.audit import audit
from lake.dead_letters import DeadLetter, Selection, latest_letters
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import scan_raw_events
from lake.table_version import open_version
from pipelines.landing.rows import to_rows
from pipelines.refresh.events import take_in
from pipelines.reports.clean_events import EVENTS as CLEAN_EVENTS
from sites import Site, Sites

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SITE = Site("shop.example", ("pk_12345",), ("sk_12345",))
SITES = Sites([SITE])

OLD_RULE = "objectId: Expected str | int, got bool, but it is true."


class Stream:
    """What was sent in all, and what of it is landed. Commits come a minute apart, the first at NOON."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.stream = MemoryStream([EVENTS, REJECTED])
        self.writer = MemoryWriter(self.stream)
        self.now = NOON
        self._table = DeltaLandingTable(self.lake)

    def reject(
        self,
        body: bytes,
        *,
        reason: str = "invalid",
        detail: str = OLD_RULE,
        site: str | None = SITE.domain,
        received_at: datetime = NOON,
    ) -> None:
        """A body that the collector refused."""
        rejection = Rejection.of(
            body, reason=reason, detail=detail, site=site, received_at=round(received_at.timestamp() * 1e6)
        )
        self.send(encode_rejection(rejection), REJECTED.name)

    def send(self, value: bytes, topic: str = EVENTS.name) -> None:
        """Any record."""
        self.stream.append(OutgoingRecord(topic, b"key", value))

    def land(self) -> None:
        """Lands all records that are not yet, in one commit."""
        landed = self._table.landed([(place.stream_id, place.partition) for place in self.stream.logs])
        firsts = {place: landed.get((place.stream_id, place.partition), 0) for place in self.stream.logs}
        records = {place: log[firsts[place] :] for place, log in self.stream.logs.items() if log[firsts[place] :]}
        rows = to_rows(records, self.now)
        self._table.append(
            rows.events,
            rows.dead_letters,
            {(place.stream_id, place.partition): firsts[place] for place in records},
            {(place.stream_id, place.partition): len(self.stream.logs[place]) for place in records},
        )
        self.now += timedelta(minutes=1)

    def letters(self) -> Sequence[DeadLetter]:
        """All dead letters, the last first."""
        return latest_letters(self.lake, Selection(), 1_000)

    def raw(self) -> pl.DataFrame:
        """All landed events."""
        return scan_raw_events(self.lake).collect()

    def counted(self) -> pl.DataFrame:
        """The table `events`, each event once, after everything landed was taken in."""
        assert audit(self.lake).exact
        take_in(self.lake, {})
        return open_version(self.lake, CLEAN_EVENTS).scan().collect()
