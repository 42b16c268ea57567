"""Each record lands once, whatever happens between stream, workers and table: random interleavings of their steps."""

import tempfile
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, Event
from event_stream.memory import MemoryReader, MemoryStream
from event_stream.ports import (
    EventReader,
    NextOffsets,
    OnAssign,
    OnRevoke,
    OutgoingRecord,
    Record,
    StreamPartition,
)
from event_stream.topics import Topic
from lake.audit import audit
from lake.errors import LakeAway, LandingConflict
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import compact
from lake.progress import Progress
from lake.raw import open_landed, read_snapshot, scan_landed
from lake.raw_schema import TABLE
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.memory import MemoryLandingTable, MemoryTable
from pipelines.landing.ports import LandingTable
from pipelines.landing.worker import LandingWorker

EVENTS = Topic("logektor.events.v1", 3, timedelta(days=1), 1_000_000)
RULE = BatchRule(max_records=7, max_read=3, max_age=1.0)
NO_LIMIT = DeadLetterLimit(share=1.0)

BEFORE, AFTER = "before the commit", "after the commit"
moments = st.sampled_from([BEFORE, AFTER])


def value(mark: str, poison: bool) -> bytes:
    if poison:
        return mark.encode()
    return encode_event(
        Event(
            event_id=mark,
            site="example.com",
            action="pageview",
            object_type="visitor",
            occurred_at=0,
            received_at=0,
            ingest_version=INGEST_VERSION,
        )
    )


class Table:
    """A worker's table; something may happen before or after the commit of its next append."""

    def __init__(self, table: LandingTable) -> None:
        self._table = table
        self.happens: dict[str, Callable[[], None]] = {}

    def landed(self, places: Iterable[tuple[str, int]]) -> Progress:
        return self._table.landed(places)

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        self._happen(BEFORE)
        self._table.append(events, dead_letters, first_offsets, next_offsets)
        self._happen(AFTER)

    def _happen(self, moment: str) -> None:
        self.happens.pop(moment, lambda: None)()


class Reader:
    """A reader that may keep back what it has read of a stream partition: it gets old before it is landed."""

    def __init__(self, stream: MemoryStream, on_assign: OnAssign, on_revoke: OnRevoke) -> None:
        self._on_revoke = on_revoke
        self._read: list[Record] = []
        self.kept_back: set[int] = set()
        self.member = MemoryReader(stream, on_assign, self._revoke)

    def _revoke(self, places: Sequence[StreamPartition]) -> None:
        self._read = [record for record in self._read if record.place not in places]
        self._on_revoke(places)

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        # Apart from the next line: meanwhile `_revoke` may give `_read` another value.
        read = self.member.read(max_records, timeout)
        self._read += read
        free = [record for record in self._read if record.place.partition not in self.kept_back][:max_records]
        self._read = [record for record in self._read if record not in free]
        return free

    def commit(self, next_offsets: NextOffsets) -> None:
        self.member.commit(next_offsets)

    def close(self) -> None:
        self.member.close()


class Later(Executor):
    """Lands a batch only when it is let, or when its end is waited for: what is read meanwhile, the test says."""

    def __init__(self) -> None:
        self._pending: list[Unfinished] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._pending.append(Unfinished(partial(fn, *args, **kwargs)))
        return self._pending[-1]

    def go_on(self) -> None:
        for future in self._pending:
            future.finish()
        self._pending = []


class Unfinished(Future[Any]):
    """Something that is done when its result is asked for, at the latest."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work

    def finish(self) -> None:
        if not self.done():
            try:
                self.set_result(self._work())
            except (LakeAway, LandingConflict) as error:
                self.set_exception(error)

    def result(self, timeout: float | None = None) -> Any:
        self.finish()
        return super().result(timeout)


class Process:
    """A worker with its table, its reader and its place in the group."""

    def __init__(self, stream: MemoryStream, table: LandingTable) -> None:
        self._stream = stream
        self.table = Table(table)
        self.executor = Later()
        self.seconds = 0.0
        self.worker = LandingWorker(
            self._open_reader,
            self.table,
            RULE,
            NO_LIMIT,
            now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
            executor=self.executor,
            monotonic=lambda: self.seconds,
        )

    def _open_reader(self, on_assign: OnAssign, on_revoke: OnRevoke) -> EventReader:
        self.reader = Reader(self._stream, on_assign, on_revoke)
        return self.reader

    def step(self, seconds: float, lands: bool = True) -> None:
        """One step; `lands`: also to the end of the batch that is being landed, or that it begins to land."""
        self.seconds += seconds
        # A step with a full buffer waits for the batch that is being landed.
        if lands or self.worker.waiting > RULE.max_records:
            self.executor.go_on()
        self.worker.step()
        if lands:
            self.executor.go_on()

    def be_missed(self) -> None:
        """The group takes its stream partitions away; it does not know yet."""
        if self.reader.member in self._stream.members:
            self._stream.members.remove(self.reader.member)
            self._stream.rebalance()

    def find_out(self) -> None:
        """It hears of it, and joins again."""
        if self.reader.member not in self._stream.members:
            self.reader.member.reassign([])
            self.worker.step()
            self._stream.members.append(self.reader.member)
            self._stream.rebalance()


class Interleavings(RuleBasedStateMachine):
    """Workers come, read, land, die, sleep and wake in any order, also in the middle of each other's commits."""

    @abstractmethod
    def open_table(self) -> LandingTable:
        """One worker's view of the table."""

    @abstractmethod
    def rows(self) -> pl.DataFrame:
        """All that is landed."""

    @abstractmethod
    def next_offsets(self) -> Progress:
        """How far the table says that it is landed."""

    @initialize()
    def begin(self) -> None:
        self.stream = MemoryStream([EVENTS])
        self.processes: list[Process] = []
        self.marks = count()
        self.produce([False] * 9)
        self.start()
        self.start()

    @rule(poison=st.lists(st.booleans(), min_size=3, max_size=9))
    def produce(self, poison: list[bool]) -> None:
        for bad in poison:
            self.stream.append(OutgoingRecord(EVENTS.name, None, value(f"mark-{next(self.marks)}", bad)))

    @precondition(lambda self: len(self.processes) < 4)
    @rule()
    def start(self) -> None:
        self.processes.append(Process(self.stream, self.open_table()))

    @precondition(lambda self: self.processes)
    @rule(
        data=st.data(),
        steps=st.lists(st.tuples(st.sampled_from([0.0, 0.6, 1.1]), st.booleans()), min_size=1, max_size=4),
    )
    def step(self, data: st.DataObject, steps: list[tuple[float, bool]]) -> None:
        process = self._any(data)
        for seconds, lands in steps:
            process.step(seconds, lands)

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def be_killed(self, data: st.DataObject) -> None:
        self._end(self._any(data))

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), moment=moments)
    def die_while_landing(self, data: st.DataObject, moment: str) -> None:
        process = self._any(data)
        process.table.happens[moment] = _raise(LakeAway("the process ends here"))
        try:
            process.step(2)
            process.step(0)
        except LakeAway:
            self._end(process)
        process.table.happens.clear()

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def take_the_own_commit_for_that_of_another(self, data: st.DataObject) -> None:
        process = self._any(data)
        process.table.happens[AFTER] = _raise(LandingConflict("it is there already."))
        process.step(2)
        process.table.happens.clear()

    @precondition(lambda self: len(self.processes) > 1)
    @rule(data=st.data(), moment=moments, missed=st.booleans(), steps=st.integers(1, 4))
    def pause_while_landing(self, data: st.DataObject, moment: str, missed: bool, steps: int) -> None:
        process, other = data.draw(st.permutations(self.processes))[:2]

        def others_go_on() -> None:
            if missed:
                process.be_missed()
            for _ in range(steps):
                other.step(0.6)

        process.table.happens[moment] = others_go_on
        process.step(2)
        process.table.happens.clear()

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), partitions=st.sets(st.sampled_from(range(EVENTS.partitions))))
    def keep_back(self, data: st.DataObject, partitions: set[int]) -> None:
        self._any(data).reader.kept_back = partitions

    @precondition(lambda self: len(self.processes) > 1)
    @rule(data=st.data(), partition=st.sampled_from(range(EVENTS.partitions)))
    def grow_old(self, data: st.DataObject, partition: int) -> None:
        """What one has read of a stream partition is landed by another before the one's view moves past that."""
        process, other = data.draw(st.permutations(self.processes))[:2]
        self.produce([False] * 9)
        process.reader.kept_back = {partition}
        for _ in range(3):
            process.step(0)
        process.be_missed()
        other.reader.kept_back = set(range(EVENTS.partitions)) - {partition}
        for _ in range(3):
            other.step(0.6)
        other.reader.kept_back = set()
        process.step(2)
        process.reader.kept_back = set()
        process.step(2)

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def fall_asleep(self, data: st.DataObject) -> None:
        self._any(data).be_missed()

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def wake_up(self, data: st.DataObject) -> None:
        self._any(data).find_out()

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        process = self._any(data)
        process.worker.drain()
        self._end(process)

    def teardown(self) -> None:
        """Lets one last worker land the rest; what was ever doubled or left out still is."""
        for process in list(self.processes):
            self._end(process)
        last = Process(self.stream, self.open_table())
        sent = next(self.marks)
        for _ in range(sent + 2):
            last.step(0.4)
        last.worker.drain()
        self.each_is_landed_once(sent)

    def each_is_landed_once(self, sent: int) -> None:
        rows = self.rows()
        places = rows.select("stream_id", "kafka_partition", "kafka_offset").iter_rows()
        promised = [(*place, offset) for place, end in self.next_offsets().items() for offset in range(end)]
        assert Counter(places) == Counter(promised)
        texts = rows.select(pl.coalesce(pl.col("event_id"), pl.col("body").cast(pl.String))).to_series()
        assert Counter(texts) == Counter(f"mark-{number}" for number in range(sent))

    def _any(self, data: st.DataObject) -> Process:
        return data.draw(st.sampled_from(self.processes))

    def _end(self, process: Process) -> None:
        self.processes.remove(process)
        process.be_missed()


def _raise(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class InMemory(Interleavings):
    """The table is the fake, which is quick."""

    def __init__(self) -> None:
        super().__init__()
        self.table = MemoryTable()

    def open_table(self) -> LandingTable:
        return MemoryLandingTable(self.table)

    def rows(self) -> pl.DataFrame:
        return pl.DataFrame(self.table.rows)

    def next_offsets(self) -> Progress:
        return self.table.next_offsets


class OnDelta(Interleavings):
    """The table is real, and is compacted now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Lake(self.folder.name)

    @rule()
    def compact(self) -> None:
        compact(self.lake, TABLE, min_files=2)

    def open_table(self) -> LandingTable:
        return DeltaLandingTable(self.lake, reopen_after_commits=5)

    def rows(self) -> pl.DataFrame:
        return scan_landed(open_landed(self.lake)).collect()

    def next_offsets(self) -> Progress:
        snapshot = read_snapshot(self.lake)
        return {} if snapshot is None else snapshot.next_offsets

    def teardown(self) -> None:
        with self.folder:
            super().teardown()
            assert audit(self.lake).exact


TestInMemory: Any = InMemory.TestCase
TestInMemory.settings = settings(max_examples=80, stateful_step_count=40, deadline=None, derandomize=True)
TestOnDelta: Any = OnDelta.TestCase
# On files, looking for a shorter failure takes minutes.
TestOnDelta.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, derandomize=True, phases=[Phase.generate]
)
