"""An EventWriter that keeps on disk what Kafka does not take, and drains it when Kafka is back."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple, ParamSpec, TypeVar

from event_stream.errors import WriteRefused
from event_stream.ports import EventWriter, OutgoingRecord
from ingest_api import metrics
from ingest_api.spool_folder import Depth, SpoolFolder

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_ADOPT_SECONDS = 5.0
_REFUSED_PAUSE_SECONDS = 1.0
_DISK_SECONDS = 5.0
"""How long a write waits for the disk."""

_MOST_PIECE_RECORDS = 500
"""Few enough that putting them on Kafka's queue holds the event loop up for a millisecond or two."""

_MOST_PIECE_BYTES = 1024 * 1024
_MOST_GROUP_WRITES = 2_000
_SHARE_OF_QUEUE = 4

_AWAY = WriteRefused("Kafka is away")

Results = Sequence[WriteRefused | None]
P = ParamSpec("P")
T = TypeVar("T")


class _Waiting(NamedTuple):
    """A write that waits for the disk."""

    records: Sequence[OutgoingRecord]
    bytes: int
    future: "asyncio.Future[WriteRefused | None]"


class DurableWriter:
    """Writes to `kafka` while `kafka_up` says that it answers; the rest waits in the spool until it does.

    Made inside a running event loop. All work on the spool is done by one thread: the writes that come while it
    commits are its next commit. `queue_records` and `queue_bytes` are the bounds of Kafka's queue: draining takes at
    most a quarter of it, and no more bytes than that wait for the disk.
    """

    def __init__(
        self,
        kafka: EventWriter,
        spool: SpoolFolder,
        *,
        kafka_up: Callable[[], bool],
        queue_records: int,
        queue_bytes: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._kafka = kafka
        self._kafka_up = kafka_up
        # Without a spool Kafka is asked in any case: it may be back a moment later.
        self._writes_to_kafka = kafka_up if spool.keeps else lambda: True
        self._spool = spool
        self._now = now
        self._piece_records = max(1, min(_MOST_PIECE_RECORDS, queue_records // _SHARE_OF_QUEUE))
        self._piece_bytes = min(_MOST_PIECE_BYTES, queue_bytes // _SHARE_OF_QUEUE)
        self._most_waiting_bytes = queue_bytes
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._committing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._upkeep = self._loop.create_task(self._look_after())

    async def write(self, records: Sequence[OutgoingRecord]) -> Results:
        if not self._writes_to_kafka():
            return await self._keep(records, [_AWAY] * len(records))
        results = await self._kafka.write(records)
        if any(results):
            return await self._keep(records, results)
        return results

    def healthy(self) -> bool:
        """Whether an event would probably be accepted, by Kafka or by the spool."""
        return self._kafka_up() or self._spool.has_room()

    def waiting(self) -> int:
        """How many writes wait for the disk."""
        return len(self._waiting)

    async def close(self, deadline: float) -> None:
        if self._closed:
            return
        ends = self._loop.time() + deadline
        self._closing.set()
        await self._kafka.close(deadline / 2)
        # Whoever waited for Kafka goes on first, and hands over what it did not take.
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends):
                await self._upkeep
                while self._committing is not None:
                    await self._committing
                self._closed = True
                await self._in_thread(self._spool.close)
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _keep(self, records: Sequence[OutgoingRecord], results: Results) -> Results:
        """To the spool with what is refused so far."""
        left = [record for record, result in zip(records, results, strict=True) if result is not None]
        refusal = await self._spooled(left) if left else None
        if refusal is None:
            return [None] * len(records)
        return [None if result is None else WriteRefused(f"{result}, and {refusal}") for result in results]

    async def _spooled(self, records: Sequence[OutgoingRecord]) -> WriteRefused | None:
        if self._closed:
            return WriteRefused("the collector stops")
        size = sum(len(record.value) for record in records)
        if self._waiting_bytes + size > self._most_waiting_bytes:
            return WriteRefused("too many events wait for the disk")
        waiting = _Waiting(records, size, self._loop.create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += size
        if self._committing is None:
            self._committing = self._loop.create_task(self._commit())
        try:
            async with asyncio.timeout(_DISK_SECONDS):
                return await waiting.future
        except TimeoutError:
            return WriteRefused("the disk is too slow")

    async def _commit(self) -> None:
        """One commit after the other, each with all writes that wait by then."""
        try:
            while group := self._waiting[:_MOST_GROUP_WRITES]:
                results = await self._in_thread(self._spool.append, [waiting.records for waiting in group])
                del self._waiting[: len(group)]
                for waiting, result in zip(group, results, strict=True):
                    self._waiting_bytes -= waiting.bytes
                    if result is None:
                        metrics.SPOOLED.inc(len(waiting.records))
                    if not waiting.future.done():
                        waiting.future.set_result(result)
        finally:
            self._committing = None

    async def _look_after(self) -> None:
        adopted_at = float("-inf")
        while not self._closing.is_set():
            try:
                if self._loop.time() - adopted_at >= _ADOPT_SECONDS:
                    adopted_at = self._loop.time()
                    await self._in_thread(self._spool.adopt)
                self._show(await self._in_thread(self._spool.look))
                await self._drain()
            except Exception:
                # Nobody else would ever drain what was accepted.
                _log.exception("The disk spool could not be looked after; the next try follows")
            await self._pause(_LOOK_SECONDS)

    async def _drain(self) -> None:
        """Through the spool once, from the oldest record on; what Kafka refuses stays and does not hold up the rest."""
        await self._in_thread(self._spool.rewind)
        drained = 0
        while self._kafka_up() and not self._closing.is_set():
            piece = await self._in_thread(self._spool.next_piece, self._piece_records, self._piece_bytes)
            if piece is None:
                break
            results = await self._kafka.write(piece.spooled.records)
            await self._in_thread(self._spool.settle, piece, results)
            metrics.SPOOL_DRAINED.inc(results.count(None))
            drained += results.count(None)
            self._show(await self._in_thread(self._spool.look))
            if any(results):
                await self._pause(_REFUSED_PAUSE_SECONDS)
        if drained:
            _log.info("%s records of the disk spool are now in Kafka.", drained)
            self._show(await self._in_thread(self._spool.look))

    def _show(self, depth: Depth) -> None:
        metrics.SPOOL_RECORDS.set(depth.records)
        metrics.SPOOL_BYTES.set(depth.bytes)
        metrics.SPOOL_OLDEST.set(0 if depth.oldest is None else max(0.0, self._now() - depth.oldest / 1e6))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))
