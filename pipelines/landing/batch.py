"""The records that wait to be landed, and when they are. No I/O; times are seconds of one monotonic clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from event_stream.errors import OffsetLost
from event_stream.ports import Record, StreamPartition


@dataclass(frozen=True)
class BatchRule:
    """A batch is landed once it has so many records or bytes, or its first record has waited so many seconds."""

    max_records: int = 100_000
    max_bytes: int = 64 * 1024 * 1024
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


class Buffer:
    """Records that were read but not landed, of the stream partitions that are assigned: none missing, none twice."""

    def __init__(self) -> None:
        self._landed: dict[StreamPartition, int | None] = {}
        self._waiting: dict[StreamPartition, list[Record]] = {}
        self.records = 0
        self.bytes = 0
        self.since: float | None = None
        """When the first of the records that wait was added."""

    @property
    def places(self) -> list[StreamPartition]:
        """The stream partitions that are assigned."""
        return list(self._landed)

    def assign(self, landed: Mapping[StreamPartition, int | None]) -> None:
        """Takes stream partitions in, with the next offset to land; None where nothing was ever landed."""
        self._landed.update(landed)

    def revoke(self, places: Iterable[StreamPartition]) -> None:
        """Forgets stream partitions and what waits of them: somebody else reads it again and lands it."""
        for place in places:
            self._landed.pop(place, None)
            self._replace(place, [])

    def add(self, records: Iterable[Record], now: float) -> None:
        """Takes records in; one that is landed or waits already is dropped. Raises OffsetLost at a gap."""
        for record in records:
            if record.place not in self._landed:
                continue
            expected = self._expected(record.place)
            if expected is not None and record.offset < expected:
                continue
            if expected is not None and record.offset > expected:
                raise _gap(record, expected)
            self._waiting.setdefault(record.place, []).append(record)
            self.records += 1
            self.bytes += len(record.value)
        if self.records and self.since is None:
            self.since = now

    def batch(self) -> Batch:
        """All that waits."""
        return Batch(
            {place: list(waiting) for place, waiting in self._waiting.items()},
            {place: waiting[0].offset for place, waiting in self._waiting.items()},
            {place: waiting[-1].offset + 1 for place, waiting in self._waiting.items()},
        )

    def landed(self, next_offsets: Mapping[StreamPartition, int | None]) -> None:
        """Says where the table stands now, and drops what it has.

        Raises OffsetLost where the table stands before what waits: what lies between is neither there nor here.
        """
        for place, offset in next_offsets.items():
            waiting = self._waiting.get(place, [])
            left = [record for record in waiting if offset is None or record.offset >= offset]
            before = self._landed[place]
            if before is not None and (offset is None or offset < before):
                raise OffsetLost(
                    f"The table stands at offset {offset} of {place.topic}[{place.partition}], but this worker had"
                    f" landed up to {before}. Start it again: it then reads on from where the table stands."
                )
            self._landed[place] = offset
            self._replace(place, left)

    def _expected(self, place: StreamPartition) -> int | None:
        waiting = self._waiting.get(place)
        return waiting[-1].offset + 1 if waiting else self._landed[place]

    def _replace(self, place: StreamPartition, records: list[Record]) -> None:
        gone = self._waiting.pop(place, [])
        self.records += len(records) - len(gone)
        self.bytes += sum(len(record.value) for record in records) - sum(len(record.value) for record in gone)
        if records:
            self._waiting[place] = records
        if not self.records:
            self.since = None


def _gap(record: Record, expected: int) -> OffsetLost:
    place = record.place
    return OffsetLost(
        f"The record after offset {expected - 1} of {place.topic}[{place.partition}] has offset {record.offset}:"
        f" {record.offset - expected} records between them are missing. Nothing after them was landed."
    )
