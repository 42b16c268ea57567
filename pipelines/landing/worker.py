"""CONSUME → LAND: the loop that reads records and lands them."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec, TypeVar

from event_stream.ports import EventReader, NextOffsets, OnAssign, OnRevoke, StreamPartition
from lake.errors import LakeAway, LandingConflict
from lake.progress import Progress
from pipelines.landing.batch import Batch, BatchRule, Buffer
from pipelines.landing.dead_letter_limit import DeadLetterCount, DeadLetterLimit
from pipelines.landing.ports import LandingTable
from pipelines.landing.rows import Rows, to_rows

_log = logging.getLogger(__name__)

_MAX_CONFLICTS = 20
"""Conflicts in a row without progress, after which the lake is held to be at fault."""

_MAX_WAIT_SECONDS = 0.2
"""The longest wait for records, so that a stop is noticed."""

_WAIT_WHILE_LANDING_SECONDS = 0.02
"""The same while a batch is landed, so that its end is noticed."""

P = ParamSpec("P")
R = TypeVar("R")

OnLanded = Callable[[Batch, Rows, float], None]
"""Called with each batch that was landed, what it was in the table, and the seconds from its start to its end."""

OpenReader = Callable[[OnAssign, OnRevoke], EventReader]


class _CallersThread(Executor):
    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


ON_THE_CALLERS_THREAD = _CallersThread()
"""An executor that lets nothing happen meanwhile, for tests that go step by step."""


@dataclass(frozen=True)
class _Landing:
    """A batch under way; `since` is when it was begun."""

    batch: Batch
    rows: Future[Rows]
    since: float


class LandingWorker:
    """Lands what it is assigned, each record once.

    The table alone says where to go on: it is read whenever stream partitions are assigned and after every conflict.
    One batch at a time is landed in `executor`, and the next one is read meanwhile; before stream partitions are
    assigned or revoked, the batch is waited for. All else happens on the caller's thread.
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
        executor: Executor = ON_THE_CALLERS_THREAD,
        on_landed: OnLanded = lambda batch, rows, seconds: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._rule = rule
        self._dead_letters = DeadLetterCount(limit)
        self._executor = executor
        self._on_landed = on_landed
        self._now = now
        self._monotonic = monotonic
        self._buffer = Buffer()
        self._landing: _Landing | None = None
        self._conflicts = 0
        self.landed_events = 0
        self.landed_dead_letters = 0
        self._reader = open_reader(self._on_assign, self._on_revoke)

    @property
    def waiting(self) -> int:
        """Records that were read and are not landed yet."""
        return self._buffer.records + (self._landing.batch.size if self._landing is not None else 0)

    @property
    def landing_seconds(self) -> float:
        """How long the batch that is being landed has been under way; 0 while there is none."""
        return self._monotonic() - self._landing.since if self._landing is not None else 0.0

    @property
    def next_offsets(self) -> Mapping[StreamPartition, int | None]:
        """How far the stream partitions that are assigned are landed; None where nothing ever was."""
        return self._buffer.next_offsets

    def step(self) -> None:
        """Reads once, looks what became of the batch that is being landed, and lands the next one if it is due."""
        if room := self._rule.room(self._buffer):
            self._buffer.add(self._reader.read(room, self._patience()), self._monotonic())
        elif self._landing is not None:
            wait([self._landing.rows], _MAX_WAIT_SECONDS)
        self._finish_if_done()
        if self._landing is None and self._rule.due(self._buffer, self._monotonic()):
            self._start()
            self._finish_if_done()

    def drain(self) -> None:
        """Lands what was read."""
        self._settle()
        while self._buffer.records:
            self._start()
            self._settle()

    def close(self) -> None:
        """Leaves the group; what was read and not landed is left to others."""
        self._reader.close()

    def _patience(self) -> float:
        """Seconds to wait for records."""
        if self._landing is not None:
            return _WAIT_WHILE_LANDING_SECONDS
        return min(self._rule.wait(self._buffer, self._monotonic()), _MAX_WAIT_SECONDS)

    def _on_assign(self, places: Sequence[StreamPartition]) -> NextOffsets:
        self._settle()
        landed = self._look_up(places)
        self._buffer.assign(landed)
        for place, offset in landed.items():
            _log.info("Assigned %s[%d], from %s", place.topic, place.partition, offset or "its beginning")
        return {place: offset for place, offset in landed.items() if offset is not None}

    def _on_revoke(self, places: Sequence[StreamPartition]) -> None:
        self._settle()
        self._buffer.revoke(places)
        for place in places:
            _log.info("Revoked %s[%d]", place.topic, place.partition)

    def _look_up(self, places: Iterable[StreamPartition]) -> Mapping[StreamPartition, int | None]:
        places = list(places)
        landed = self._table.landed([_key(place) for place in places])
        return {place: landed.get(_key(place)) for place in places}

    def _start(self) -> None:
        batch = self._buffer.take()
        self._landing = _Landing(batch, self._executor.submit(self._append, batch), self._monotonic())

    def _settle(self) -> None:
        """Waits for the batch that is being landed."""
        if self._landing is not None:
            self._finish(self._landing)

    def _finish_if_done(self) -> None:
        if self._landing is not None and self._landing.rows.done():
            self._finish(self._landing)

    def _finish(self, landing: _Landing) -> None:
        batch, self._landing = landing.batch, None
        try:
            rows = landing.rows.result()
        except LandingConflict as conflict:
            self._conflicts += 1
            _log.info("%s Looking at the table again.", conflict)
            if self._conflicts == _MAX_CONFLICTS:
                raise LakeAway(f"{_MAX_CONFLICTS} attempts to land a batch met a conflict: {conflict}") from conflict
            self._buffer.landed(self._look_up(batch.records))
        else:
            self._conflicts = 0
            self.landed_events += rows.events.num_rows
            self.landed_dead_letters += rows.dead_letters.num_rows
            self._buffer.landed(batch.next_offsets)
            self._reader.commit(batch.next_offsets)
            self._on_landed(batch, rows, self._monotonic() - landing.since)

    def _append(self, batch: Batch) -> Rows:
        rows = to_rows(batch.records, self._now())
        self._dead_letters.add(rows)
        self._table.append(
            rows.events, rows.dead_letters, _progress(batch.first_offsets), _progress(batch.next_offsets)
        )
        return rows


def _key(place: StreamPartition) -> tuple[str, int]:
    return place.stream_id, place.partition


def _progress(offsets: NextOffsets) -> Progress:
    return {_key(place): offset for place, offset in offsets.items()}
