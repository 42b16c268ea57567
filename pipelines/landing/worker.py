"""CONSUME → LAND: the loop that reads records and lands them."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from event_stream.ports import EventReader, NextOffsets, OnAssign, OnRevoke, StreamPartition
from lake.errors import LakeAway, LandingConflict
from lake.progress import Progress
from pipelines.landing.batch import Batch, BatchRule, Buffer
from pipelines.landing.dead_letter_limit import DeadLetterCount, DeadLetterLimit
from pipelines.landing.ports import LandingTable
from pipelines.landing.rows import to_rows

_log = logging.getLogger(__name__)

_MAX_CONFLICTS = 20
"""Conflicts in a row without progress, after which the lake is held to be at fault."""

_MAX_WAIT_SECONDS = 0.2
"""The longest wait for records, so that a stop is noticed."""

OpenReader = Callable[[OnAssign, OnRevoke], EventReader]


class LandingWorker:
    """Lands what it is assigned, each record once.

    The table alone says where to go on: it is read whenever stream partitions are assigned and after every conflict.
    An error that leaves `step` or `drain` means that the process must end; the next one starts from the table.
    `monotonic` answers seconds, `now` the time of day in UTC.
    """

    def __init__(
        self,
        open_reader: OpenReader,
        table: LandingTable,
        rule: BatchRule,
        limit: DeadLetterLimit,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._rule = rule
        self._dead_letters = DeadLetterCount(limit)
        self._now = now
        self._monotonic = monotonic
        self._buffer = Buffer()
        self.landed_events = 0
        self.landed_dead_letters = 0
        self._reader = open_reader(self._on_assign, self._on_revoke)

    @property
    def waiting(self) -> int:
        """Records that were read and are not landed yet."""
        return self._buffer.records

    def step(self) -> None:
        """Reads once, and lands if the batch is due."""
        if room := self._rule.room(self._buffer):
            wait = min(self._rule.wait(self._buffer, self._monotonic()), _MAX_WAIT_SECONDS)
            self._buffer.add(self._reader.read(room, wait), self._monotonic())
        if self._rule.due(self._buffer, self._monotonic()):
            self._land()

    def drain(self) -> None:
        """Lands what was read."""
        self._land()

    def close(self) -> None:
        """Leaves the group; what was read and not landed is left to others."""
        self._reader.close()

    def _on_assign(self, places: Sequence[StreamPartition]) -> NextOffsets:
        landed = self._look_up(places)
        self._buffer.assign(landed)
        for place, offset in landed.items():
            _log.info("Assigned %s[%d], from %s", place.topic, place.partition, offset or "its beginning")
        return {place: offset for place, offset in landed.items() if offset is not None}

    def _on_revoke(self, places: Sequence[StreamPartition]) -> None:
        self._buffer.revoke(places)
        for place in places:
            _log.info("Revoked %s[%d]", place.topic, place.partition)

    def _look_up(self, places: Iterable[StreamPartition]) -> Mapping[StreamPartition, int | None]:
        places = list(places)
        landed = self._table.landed([_key(place) for place in places])
        return {place: landed.get(_key(place)) for place in places}

    def _land(self) -> None:
        conflicts = 0
        while self._buffer.records:
            batch = self._buffer.batch()
            try:
                self._append(batch)
            except LandingConflict as conflict:
                conflicts += 1
                _log.info("%s Looking at the table again.", conflict)
                if conflicts == _MAX_CONFLICTS:
                    raise LakeAway(f"{conflicts} attempts to land one batch met a conflict: {conflict}") from conflict
                self._buffer.landed(self._look_up(batch.records))
            else:
                self._buffer.landed(batch.next_offsets)
                self._reader.commit(batch.next_offsets)

    def _append(self, batch: Batch) -> None:
        rows = to_rows(batch.records, self._now())
        self._dead_letters.add(rows)
        self._table.append(
            rows.events, rows.dead_letters, _progress(batch.first_offsets), _progress(batch.next_offsets)
        )
        self.landed_events += rows.events.num_rows
        self.landed_dead_letters += rows.dead_letters.num_rows


def _key(place: StreamPartition) -> tuple[str, int]:
    return place.stream_id, place.partition


def _progress(offsets: NextOffsets) -> Progress:
    return {_key(place): offset for place, offset in offsets.items()}
