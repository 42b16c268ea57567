"""Writing to Kafka from an event loop: one future per write, however many records it holds."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from event_stream.errors import WriteRefused
from event_stream.ports import OutgoingRecord

_log = logging.getLogger(__name__)
_silent = logging.getLogger(f"{__name__}.librdkafka")
_silent.propagate = False
_silent.addHandler(logging.NullHandler())

_BUSY_POLL_SECONDS = 0.001
_IDLE_POLL_SECONDS = 0.05
_STATISTICS_MILLISECONDS = 500

Results = list[WriteRefused | None]


class KafkaWriter:
    """An EventWriter on a Kafka cluster. Made inside a running event loop, and used only from there.

    `delivery_seconds` is the deadline of one write. `queue_records` and `queue_bytes` bound what waits for Kafka.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        delivery_seconds: float,
        queue_records: int,
        queue_bytes: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._delivery_seconds = delivery_seconds
        self._now = now
        self._settings: dict[str, object] = {
            "bootstrap.servers": bootstrap_servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 1,
            "compression.type": "lz4",
            "partitioner": "consistent_random",
            "message.timeout.ms": max(1, round(delivery_seconds * 1000)),
            "queue.buffering.max.messages": queue_records,
            "queue.buffering.max.kbytes": max(1, queue_bytes // 1024),
            # Back within a second when the broker is.
            "reconnect.backoff.max.ms": 1000,
            "statistics.interval.ms": _STATISTICS_MILLISECONDS,
            "stats_cb": self._on_statistics,
            "error_cb": self._on_error,
        }
        self._loop = asyncio.get_running_loop()
        self._pending: deque[_Delivery] = deque()
        self._up = False
        self._said_up: bool | None = None
        self._broken = False
        self._closed = False
        self._producer = self._new_producer()
        self._timer = self._loop.call_later(_IDLE_POLL_SECONDS, self._tick)

    def write(self, records: Sequence[OutgoingRecord]) -> "asyncio.Future[Results]":
        delivery = _Delivery(self._loop.create_future(), self._now() + self._delivery_seconds, len(records))
        for index, record in enumerate(records):
            try:
                self._produce(record, partial(delivery.on_delivery, index))
            except WriteRefused as refusal:
                delivery.settle(index, refusal)
        if not delivery.future.done():
            if not self._pending:
                # Idle until now: the acknowledgement is wanted within milliseconds.
                self._timer.cancel()
                self._timer = self._loop.call_later(_BUSY_POLL_SECONDS, self._tick)
            self._pending.append(delivery)
        return delivery.future

    def healthy(self) -> bool:
        return self._up and not self._closed

    async def close(self, deadline: float) -> None:
        self._closed = True
        if self._pending:
            await asyncio.wait([delivery.future for delivery in self._pending], timeout=deadline)
        self._timer.cancel()
        while self._pending:
            self._pending.popleft().end()
        _discard(self._producer)

    def _produce(self, record: OutgoingRecord, on_delivery: "Callable[[KafkaError | None, Message], None]") -> None:
        if self._closed:
            raise WriteRefused("the writer is closed")
        try:
            self._producer.produce(record.topic, record.value, record.key, on_delivery=on_delivery)
        except BufferError:
            raise WriteRefused("the queue to Kafka is full") from None
        except KafkaException as error:
            self._broken = self._broken or error.args[0].fatal()
            raise WriteRefused(error.args[0].str()) from error

    def _tick(self) -> None:
        self._producer.poll(0)
        if self._broken:
            self._replace_producer()
        now = self._now()
        pending = self._pending
        while pending and (pending[0].future.done() or pending[0].deadline <= now):
            pending.popleft().end()
        self._timer = self._loop.call_later(_BUSY_POLL_SECONDS if pending else _IDLE_POLL_SECONDS, self._tick)

    def _new_producer(self) -> Producer:
        # librdkafka logs each failed connection; what matters of it is said once, in `_on_statistics`.
        return Producer(self._settings, logger=_silent)

    def _replace_producer(self) -> None:
        """After a fatal error a producer never works again."""
        self._broken = False
        _discard(self._producer)
        self._producer = self._new_producer()

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            _log.error("The producer is broken and replaced by a new one: %s", error.str())
            self._broken = True

    def _on_statistics(self, statistics: str) -> None:
        self._up = any(broker.state == "UP" for broker in _statistics_decoder.decode(statistics).brokers.values())
        if self._up != self._said_up:
            self._said_up = self._up
            if self._up:
                _log.info("Kafka at %s answers.", self._bootstrap_servers)
            else:
                _log.warning("Kafka at %s is away: until it is back, events are refused.", self._bootstrap_servers)


class _Delivery:
    """The records of one write, and the future that is done when each has its result."""

    __slots__ = ("_open", "_results", "deadline", "future")

    def __init__(self, future: "asyncio.Future[Results]", deadline: float, records: int) -> None:
        self.future = future
        self.deadline = deadline
        self._open = records
        # What a record without an answer at the deadline has as its result.
        self._results: Results = [_UNANSWERED] * records
        if not records:
            future.set_result([])

    def on_delivery(self, index: int, error: KafkaError | None, _: Message) -> None:
        """Called by librdkafka, once for each record that it took."""
        self.settle(index, None if error is None else WriteRefused(error.str()))

    def settle(self, index: int, result: WriteRefused | None) -> None:
        """The result of one record."""
        self._results[index] = result
        self._open -= 1
        if not self._open and not self.future.done():
            self.future.set_result(self._results)

    def end(self) -> None:
        """What has no result yet is refused; an acknowledgement that comes later changes nothing any more."""
        if not self.future.done():
            self.future.set_result(list(self._results))


_UNANSWERED = WriteRefused("Kafka did not acknowledge it in time")


class _Broker(msgspec.Struct):
    state: str


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker]


_statistics_decoder = msgspec.json.Decoder(_Statistics)


def _discard(producer: Producer) -> None:
    """Gives up what the producer still holds, and tells its deliveries."""
    producer.purge()
    producer.poll(0)
