"""Each record lands once, whatever happens between stream, workers and table: random interleavings in memory."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, Event
from event_stream.memory import MemoryReader, MemoryStream
from event_stream.ports import OutgoingRecord
from event_stream.topics import Topic
from lake.errors import LakeAway
from lake.progress import Progress
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.memory import MemoryLandingTable, MemoryTable
from pipelines.landing.worker import LandingWorker

EVENTS = Topic("logektor.events.v1", 3, timedelta(days=1), 1_000_000)
RULE = BatchRule(max_records=7, max_read=3, max_age=1.0)
NO_LIMIT = DeadLetterLimit(share=1.0)

RECORD = encode_event(
    Event(
        event_id="1",
        site="example.com",
        action="pageview",
        object_type="visitor",
        occurred_at=0,
        received_at=0,
        ingest_version=INGEST_VERSION,
    )
)


class Table:
    """A worker's table, whose next append may fail before or after it is done."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = MemoryLandingTable(table)
        self.failing: str | None = None

    def landed(self, places: Iterable[tuple[str, int]]) -> Progress:
        return self._table.landed(places)

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        if self.failing == "before":
            raise LakeAway("failed before the commit")
        self._table.append(events, dead_letters, first_offsets, next_offsets)
        if self.failing == "after":
            raise LakeAway("failed after the commit")


class Process:
    """A worker with its table and its place in the group."""

    def __init__(self, stream: MemoryStream, table: MemoryTable) -> None:
        self._stream = stream
        self.table = Table(table)
        self.seconds = 0.0
        self.worker = LandingWorker(
            lambda on_assign, on_revoke: MemoryReader(stream, on_assign, on_revoke),
            self.table,
            RULE,
            NO_LIMIT,
            now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
            monotonic=lambda: self.seconds,
        )
        self._reader = stream.members[-1]

    def leave_unasked(self) -> None:
        """The group takes its stream partitions away; it does not know yet."""
        if self._reader in self._stream.members:
            self._stream.members.remove(self._reader)
            self._stream.rebalance()

    def find_out(self) -> None:
        """It hears of it, and joins again."""
        if self._reader not in self._stream.members:
            self._reader.reassign([])
            self.worker.step()
            self._stream.members.append(self._reader)
            self._stream.rebalance()


class ExactlyOnce(RuleBasedStateMachine):
    """Workers come, read, land, die, sleep and wake in any order."""

    @initialize()
    def begin(self) -> None:
        self.stream = MemoryStream([EVENTS])
        self.table = MemoryTable()
        self.processes: list[Process] = []
        self.produced = 0
        self.produce([RECORD] * 9)
        self.start()
        self.start()

    @rule(values=st.lists(st.sampled_from([RECORD, b"poison"]), min_size=3, max_size=9))
    def produce(self, values: list[bytes]) -> None:
        for value in values:
            self.stream.append(OutgoingRecord(EVENTS.name, None, value))
        self.produced += len(values)

    @precondition(lambda self: len(self.processes) < 4)
    @rule()
    def start(self) -> None:
        self.processes.append(Process(self.stream, self.table))

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), seconds=st.lists(st.sampled_from([0.0, 0.6, 1.1]), min_size=1, max_size=4))
    def step(self, data: st.DataObject, seconds: list[float]) -> None:
        process = self._any(data)
        for passed in seconds:
            process.seconds += passed
            process.worker.step()

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        process = self._any(data)
        self.processes.remove(process)
        process.leave_unasked()

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), when=st.sampled_from(["before", "after"]))
    def die_while_landing(self, data: st.DataObject, when: str) -> None:
        process = self._any(data)
        process.table.failing = when
        process.seconds += 2
        try:
            process.worker.step()
        except LakeAway:
            self.processes.remove(process)
            process.leave_unasked()
        process.table.failing = None

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def fall_asleep(self, data: st.DataObject) -> None:
        self._any(data).leave_unasked()

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def wake_up(self, data: st.DataObject) -> None:
        self._any(data).find_out()

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        process = self._any(data)
        process.worker.drain()
        self.processes.remove(process)
        process.leave_unasked()

    @invariant()
    def none_is_landed_twice_or_left_out(self) -> None:
        for place in self.stream.logs:
            landed = [
                row["kafka_offset"]
                for row in self.table.rows.select(["kafka_partition", "kafka_offset"]).to_pylist()
                if row["kafka_partition"] == place.partition
            ]
            assert sorted(landed) == list(range(self.table.next_offsets.get((place.stream_id, place.partition), 0)))

    def teardown(self) -> None:
        for process in self.processes:
            process.leave_unasked()
        last = Process(self.stream, self.table)
        for _ in range(self.produced + 2):
            last.seconds += 2
            last.worker.step()
        self.none_is_landed_twice_or_left_out()
        assert self.table.rows.num_rows == self.produced

    def _any(self, data: st.DataObject) -> Process:
        return data.draw(st.sampled_from(self.processes))


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
