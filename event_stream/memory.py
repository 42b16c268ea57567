"""The stream in memory, for tests on a laptop: no threads, no broker, the same contract."""

from collections.abc import Sequence
from zlib import crc32

from event_stream.errors import OffsetLost, WriteRefused
from event_stream.ports import NextOffsets, OnAssign, OnRevoke, OutgoingRecord, Record, StreamPartition
from event_stream.topics import Topic


class MemoryStream:
    """Topics with their stream partitions and the group that reads them. `now` answers milliseconds since 1970 UTC."""

    def __init__(self, topics: Sequence[Topic], stream_id: str = "memory") -> None:
        self._partitions = {topic.name: topic.partitions for topic in topics}
        self._stream_ids = {topic.name: f"{stream_id}/{topic.name}" for topic in topics}
        self._turn = 0
        self.logs: dict[StreamPartition, list[Record]] = {
            StreamPartition(self._stream_ids[topic.name], topic.name, number): []
            for topic in topics
            for number in range(topic.partitions)
        }
        self.first_offsets = dict.fromkeys(self.logs, 0)
        self.committed: dict[StreamPartition, int] = {}
        self.available = True
        self.members: list[MemoryReader] = []

    def place(self, record: OutgoingRecord) -> StreamPartition:
        """The stream partition of a record: by its key, or the next in turn."""
        count = self._partitions[record.topic]
        self._turn += 1
        number = (crc32(record.key) if record.key is not None else self._turn) % count
        return StreamPartition(self._stream_ids[record.topic], record.topic, number)

    def append(self, record: OutgoingRecord, timestamp: int = 0) -> Record:
        """Puts a record at the end of its stream partition."""
        place = self.place(record)
        stored = Record(place, len(self.logs[place]), timestamp, record.value)
        self.logs[place].append(stored)
        return stored

    def expire(self, topic: str, first_offset: int) -> None:
        """Forgets the records of a topic below an offset, as its retention does."""
        self.first_offsets.update({place: first_offset for place in self.logs if place.topic == topic})

    def recreate(self, topic: str) -> None:
        """Deletes a topic and makes it anew: it has the same name and is another stream."""
        self._stream_ids[topic] += "+"
        for place in [place for place in self.logs if place.topic == topic]:
            del self.logs[place], self.first_offsets[place]
            anew = place._replace(stream_id=self._stream_ids[topic])
            self.logs[anew], self.first_offsets[anew] = [], 0

    def rebalance(self) -> None:
        """Shares the stream partitions out anew over the members, in turn."""
        shares: dict[int, list[StreamPartition]] = {number: [] for number in range(len(self.members))}
        for number, place in enumerate(self.logs):
            if self.members:
                shares[number % len(self.members)].append(place)
        for number, member in enumerate(self.members):
            member.reassign(shares[number])


class MemoryWriter:
    """An EventWriter on a MemoryStream; refuses while the stream is not `available`."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream

    async def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteRefused | None]:
        if not self._stream.available:
            return [WriteRefused("the memory stream is not available")] * len(records)
        for record in records:
            self._stream.append(record)
        return [None] * len(records)

    def healthy(self) -> bool:
        return self._stream.available

    async def close(self, deadline: float) -> None:
        """Nothing is ever under way."""


class MemoryReader:
    """An EventReader on a MemoryStream. Changes of assignment reach the callbacks at the next `read`."""

    def __init__(self, stream: MemoryStream, on_assign: OnAssign, on_revoke: OnRevoke) -> None:
        self._stream = stream
        self._on_assign = on_assign
        self._on_revoke = on_revoke
        self._assigned: list[StreamPartition] = []
        self._wanted: list[StreamPartition] = []
        self._position: dict[StreamPartition, int] = {}
        stream.members.append(self)
        stream.rebalance()

    def reassign(self, places: list[StreamPartition]) -> None:
        """What the group wants this member to read."""
        self._wanted = places

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        self._follow_group()
        read: list[Record] = []
        for place in self._assigned:
            start = self._position[place]
            log = self._stream.logs.get(place)
            if log is None or not self._stream.first_offsets[place] <= start <= len(log):
                raise OffsetLost(f"offset {start} of {place.topic}[{place.partition}] is not in the stream")
            taken = log[start : start + max_records - len(read)]
            self._position[place] = start + len(taken)
            read.extend(taken)
        return read

    def _follow_group(self) -> None:
        if lost := [place for place in self._assigned if place not in self._wanted]:
            self._assigned = [place for place in self._assigned if place in self._wanted]
            self._on_revoke(lost)
        if gained := [place for place in self._wanted if place not in self._assigned]:
            starts = self._on_assign(gained)
            self._position.update({place: starts.get(place, self._stream.first_offsets[place]) for place in gained})
            self._assigned.extend(gained)

    def commit(self, next_offsets: NextOffsets) -> None:
        self._stream.committed.update(next_offsets)

    def close(self) -> None:
        self._on_revoke(self._assigned)
        self._assigned = []
        self._stream.members.remove(self)
        self._stream.rebalance()


class MemoryLog:
    """A SharedLog on a MemoryStream; nothing of it is read or written while the stream is not `available`."""

    def __init__(self, stream: MemoryStream, topic: Topic) -> None:
        self._stream = stream
        self._topic = topic.name
        (self._place,) = (place for place in stream.logs if place.topic == topic.name)
        self._next_offset = 0

    def read(self) -> Sequence[bytes]:
        if not self._stream.available:
            return []
        first = max(self._next_offset, self._stream.first_offsets[self._place])
        values = [record.value for record in self._stream.logs[self._place][first:]]
        self._next_offset = first + len(values)
        return values

    def is_read(self) -> bool:
        return self._stream.available and self._next_offset == len(self._stream.logs[self._place])

    async def append(self, value: bytes, timestamp: int) -> None:
        if not self._stream.available:
            raise WriteRefused("the memory stream is not available")
        self._stream.append(OutgoingRecord(self._topic, None, value), timestamp)

    def close(self) -> None:
        """Nothing is held."""
