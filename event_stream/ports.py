"""What the collector and the worker ask of a stream."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from event_stream.errors import WriteRefused


class OutgoingRecord(NamedTuple):
    """A record on its way to the stream."""

    topic: str
    key: bytes | None
    value: bytes


class StreamPartition(NamedTuple):
    """One ordered log of the stream. `stream_id` is `cluster id/topic id`: a topic made anew is another stream."""

    stream_id: str
    topic: str
    partition: int


class Record(NamedTuple):
    """A record with its place in the stream. `timestamp` is the broker's, in milliseconds since 1970 UTC."""

    place: StreamPartition
    offset: int
    timestamp: int
    value: bytes


NextOffsets = Mapping[StreamPartition, int]
"""Per stream partition the offset of the *next* record to read: one past the last that is done."""

OnAssign = Callable[[Sequence[StreamPartition]], NextOffsets]
"""Called with newly assigned stream partitions; answers where to start. One left out starts at its beginning."""

OnRevoke = Callable[[Sequence[StreamPartition]], None]
"""Called with stream partitions that are taken away; nothing read from them but not landed may be landed any more."""


class EventWriter(Protocol):
    """Puts records on the stream.

    `write` answers one result per record, in their order: None when it is durable (the broker has acknowledged it with
    acks=all, or it is fsynced on a disk from which it will reach the broker), or the reason why it is not.
    The awaitable is done when each record has its result, within the writer's own deadline; it never raises for a
    single record. What it said None to survives a kill of every process here.
    A full buffer is a refusal, not a wait.
    """

    def write(self, records: Sequence[OutgoingRecord]) -> Awaitable[Sequence[WriteRefused | None]]: ...

    def healthy(self) -> bool:
        """Whether a record would probably be taken now; says nothing of a single record."""
        ...

    async def close(self, deadline: float) -> None:
        """Waits at most `deadline` seconds for what is under way; the rest is refused."""
        ...


class EventReader(Protocol):
    """Reads records of some topics as one member of a group.

    Reading starts where `on_assign` says, never where the broker thinks, and goes on in order within a stream
    partition, without a gap. Both callbacks run inside `read` or `close`, on the caller's thread.
    `commit` is a hint for lag tools: the lake is the truth.
    """

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        """Up to `max_records` records, waiting at most `timeout` seconds for the first.

        Raises OffsetLost where the next record is not in the broker, BrokerAway where the broker is gone for good.
        """
        ...

    def commit(self, next_offsets: NextOffsets) -> None: ...

    def close(self) -> None: ...


class SharedLog(Protocol):
    """A topic of one stream partition that everybody reads whole: from its first record on, then what follows.

    There is no group and nothing is committed. All see the records in one order, so that where several speak of the
    same thing, everybody can believe the first. Only `append` waits.
    """

    def read(self) -> Sequence[bytes]:
        """The values that were not read yet, in their order; none while the broker is away."""
        ...

    def is_read(self) -> bool:
        """Whether the end was reached, as far as the broker has told, and past all that was appended here."""
        ...

    async def append(self, value: bytes, timestamp: int) -> None:
        """Done when the broker has it. Its retention counts from `timestamp`, in milliseconds since 1970 UTC.

        Raises WriteRefused. Even then the record may turn up.
        """
        ...

    def close(self) -> None: ...
