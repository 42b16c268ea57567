"""The records that wait to be landed, and when they are. No I/O; times are seconds of one monotonic clock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from event_stream.errors import OffsetLost
from event_stream.ports import Record, StreamPartition
from pipelines.landing.errors import HoleFound


@dataclass(frozen=True)
class BatchRule:
    """A batch is landed once it has so many records or bytes, or its first record has waited so many seconds.

    One batch is landed at a time, and the next one gathers meanwhile: when quiet it is as small as its age allows,
    when behind as large as its bounds. So at most two batches are in memory.
    """

    max_records: int = 50_000
    max_bytes: int = 16 * 1024 * 1024
    max_age: float = 1.0
    max_read: int = 10_000
    """Records read at a time."""

    def room(self, buffer: "Buffer") -> int:
        """How many records may be read now; none while the buffer is full: this bounds the memory."""
        if buffer.bytes >= self.max_bytes:
            return 0
        return max(0, min(self.max_read, self.max_records - buffer.records))

    def wait(self, buffer: "Buffer", now: float) -> float:
        """Seconds until the batch must be landed; `max_age` while nothing waits."""
        if buffer.since is None:
            return self.max_age
        return max(0.0, buffer.since + self.max_age - now) if self.room(buffer) else 0.0

    def due(self, buffer: "Buffer", now: float) -> bool:
        """Whether the batch must be landed now."""
        return buffer.since is not None and self.wait(buffer, now) == 0


@dataclass(frozen=True)
class Batch:
    """Records to land together, with the offsets between which they lie in their stream partitions.

    `first_offsets` is where the table must stand, `next_offsets` where it stands afterwards.
    """

    records: Mapping[StreamPartition, list[Record]]
    first_offsets: Mapping[StreamPartition, int]
    next_offsets: Mapping[StreamPartition, int]

    @property
    def size(self) -> int:
        """How many records."""
        return sum(map(len, self.records.values()))


class Buffer:
    """Records that were read but not landed, of the stream partitions that are assigned: none missing, none twice.

    A batch that was taken to be landed is kept until `landed` says what became of it. Until then no other is taken,
    and no stream partition of it is revoked. All counts are of what waits, without that batch.
    """

    def __init__(self) -> None:
        self._landed: dict[StreamPartition, int | None] = {}
        self._taken: Batch | None = None
        self._taken_since: float | None = None
        self.waiting: dict[StreamPartition, list[Record]] = {}
        self.records = 0
        self.bytes = 0
        self.since: float | None = None
        """When the first of the records that wait was added."""

    @property
    def next_offsets(self) -> Mapping[StreamPartition, int | None]:
        """How far the stream partitions that are assigned are landed; None where nothing ever was."""
        return dict(self._landed)

    def assign(self, landed: Mapping[StreamPartition, int | None]) -> None:
        """Takes stream partitions in, with the next offset to land; None where nothing was ever landed."""
        self._landed.update(landed)

    def revoke(self, places: Iterable[StreamPartition]) -> None:
        """Forgets stream partitions and what waits of them: somebody else reads it again and lands it."""
        for place in places:
            self._landed.pop(place, None)
            self._replace(place, [])

    def add(self, records: Iterable[Record], now: float) -> None:
        """Takes records in; one that is landed or waits already is dropped.

        Raises HoleFound at a gap: what lies before it has been taken in.
        """
        for place, run in _runs(records):
            if place not in self._landed:
                continue
            expected = self._expected(place)
            if expected is not None and run[0].offset > expected:
                raise HoleFound(place, expected, run[0].offset)
            new = run if expected is None else run[expected - run[0].offset :]
            if new:
                self.waiting.setdefault(place, []).extend(new)
                self.records += len(new)
                self.bytes += _bytes(new)
        if self.records and self.since is None:
            self.since = now

    def take(self) -> Batch:
        """All that waits."""
        waiting, self.waiting = self.waiting, {}
        self._taken = Batch(
            waiting,
            {place: records[0].offset for place, records in waiting.items()},
            {place: records[-1].offset + 1 for place, records in waiting.items()},
        )
        self._taken_since = self.since
        self.records = self.bytes = 0
        self.since = None
        return self._taken

    def landed(self, next_offsets: Mapping[StreamPartition, int | None]) -> None:
        """Says where the table stands now, and drops what it has; what it has not of the batch taken waits again.

        Raises OffsetLost where the table stands before what waits: what lies between is neither there nor here.
        """
        taken = self._taken.records if self._taken is not None else {}
        self._taken = None
        since = self._taken_since
        for place, offset in next_offsets.items():
            before = self._landed[place]
            if before is not None and (offset is None or offset < before):
                raise OffsetLost(
                    f"The table stands at offset {offset} of {place.topic}[{place.partition}], but this worker had"
                    f" landed up to {before}. Start it again: it then reads on from where the table stands."
                )
            self._landed[place] = offset
            back, waiting = _from(offset, taken.get(place, [])), self.waiting.get(place, [])
            left = _from(offset, waiting)
            if back or len(left) < len(waiting):
                self._replace(place, [*back, *left])
            if back:
                self.since = since

    def _expected(self, place: StreamPartition) -> int | None:
        if waiting := self.waiting.get(place):
            return waiting[-1].offset + 1
        if self._taken is not None and place in self._taken.next_offsets:
            return self._taken.next_offsets[place]
        return self._landed[place]

    def _replace(self, place: StreamPartition, records: list[Record]) -> None:
        gone = self.waiting.pop(place, [])
        self.records += len(records) - len(gone)
        self.bytes += _bytes(records) - _bytes(gone)
        if records:
            self.waiting[place] = records
        if not self.records:
            self.since = None


def _runs(records: Iterable[Record]) -> Iterator[tuple[StreamPartition, Sequence[Record]]]:
    """The records in stretches of one stream partition without a gap."""
    for place, group in groupby(records, attrgetter("place")):
        run = list(group)
        first = run[0].offset
        if [record.offset for record in run] == list(range(first, first + len(run))):
            yield place, run
        else:
            yield from ((place, [record]) for record in run)


def _from(offset: int | None, run: list[Record]) -> list[Record]:
    """What of a stretch lies at or above an offset."""
    return run if offset is None or not run else run[max(0, offset - run[0].offset) :]


def _bytes(records: Iterable[Record]) -> int:
    return sum(len(record.value) for record in records)
