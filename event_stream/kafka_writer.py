"""Writing to Kafka from an event loop: one future per write, however many records it holds."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from event_stream.errors import WriteRefused
from event_stream.kafka_admin import refusal
from event_stream.kafka_cluster import KafkaCluster
from event_stream.ports import OutgoingRecord

_log = logging.getLogger(__name__)
_silent = logging.getLogger(f"{__name__}.librdkafka")
_silent.propagate = False
_silent.addHandler(logging.NullHandler())

_LINGER_MILLISECONDS = 5
"""How long a record waits for others to share its request: 5 ms for a lone event, half the CPU for a busy broker."""

_BUSY_POLL_SECONDS = 0.001
_IDLE_POLL_SECONDS = 0.05
_STATISTICS_MILLISECONDS = 500
_CONNECTING_SECONDS = 2.0

Results = list[WriteRefused | None]


class KafkaWriter:
    """An EventWriter on a Kafka cluster. Made inside a running event loop, and used only from there.

    `delivery_seconds` is the deadline of one write. `queue_records` and `queue_bytes` bound what waits for Kafka.
    """

    def __init__(
        self,
        cluster: KafkaCluster,
        *,
        delivery_seconds: float,
        queue_records: int,
        queue_bytes: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._delivery_seconds = delivery_seconds
        self._now = now
        self._settings: dict[str, object] = {
            **cluster.client,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": _LINGER_MILLISECONDS,
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
        # In the order of their deadlines, as all have the same time.
        self._pending: OrderedDict[_Delivery, None] = OrderedDict()
        self._up = False
        self._said_away = False
        self._said_refused = False
        self._started = now()
        self._broken = False
        self._closed = False
        self._producer = self._new_producer()
        self._timer = self._loop.call_later(_IDLE_POLL_SECONDS, self._tick)

    def write(self, records: Sequence[OutgoingRecord]) -> "asyncio.Future[Results]":
        if self._closed:
            return self._refuse_all(len(records))
        idle = not self._pending
        deadline = self._now() + self._delivery_seconds
        delivery = _Delivery(self._loop.create_future(), deadline, records, self._pending)
        if len(records) == 1:
            self._produce_one(records[0], delivery)
        else:
            for topic in {record.topic for record in records}:
                self._produce_many(topic, delivery)
        if idle and self._pending:
            # The acknowledgement is wanted within milliseconds.
            self._timer.cancel()
            self._timer = self._loop.call_later(_BUSY_POLL_SECONDS, self._tick)
        return delivery.future

    def healthy(self) -> bool:
        return self._up and not self._closed

    def waiting(self) -> int:
        """How many writes wait for Kafka."""
        return len(self._pending)

    async def close(self, deadline: float) -> None:
        self._closed = True
        if self._pending:
            await asyncio.wait([delivery.future for delivery in self._pending], timeout=deadline)
        self._timer.cancel()
        for delivery in list(self._pending):
            delivery.end()
        _discard(self._producer)

    def _produce_one(self, record: OutgoingRecord, delivery: "_Delivery") -> None:
        topic, key, value = record
        try:
            self._producer.produce(topic, value, key, on_delivery=delivery.settle)
        except BufferError:
            delivery.refuse(record, _QUEUE_FULL)
        except KafkaException as error:
            self._broken = self._broken or error.args[0].fatal()
            delivery.refuse(record, str(error.args[0]))

    def _produce_many(self, topic: str, delivery: "_Delivery") -> None:
        """All at once takes half the time of one after the other."""
        records = [record for record in delivery.records if record.topic == topic]
        messages: list[dict[str, Any]] = [{"value": value, "key": key} for _, key, value in records]
        try:
            taken = self._producer.produce_batch(topic, messages, on_delivery=delivery.settle)
        except KafkaException as error:
            self._broken = self._broken or error.args[0].fatal()
            for record in records:
                delivery.refuse(record, str(error.args[0]))
            return
        if taken == len(messages):
            return
        for record, message in zip(records, messages, strict=True):
            if (trouble := message.get("_error")) is not None:
                self._broken = self._broken or trouble.fatal()
                full = trouble.code() == KafkaError._QUEUE_FULL
                delivery.refuse(record, _QUEUE_FULL if full else str(trouble))

    def _refuse_all(self, records: int) -> "asyncio.Future[Results]":
        future: asyncio.Future[Results] = self._loop.create_future()
        future.set_result([WriteRefused("the writer is closed")] * records)
        return future

    def _tick(self) -> None:
        try:
            self._producer.poll(0)
            if self._broken:
                self._replace_producer()
            self._end_overdue()
        finally:
            # Whatever went wrong above, the next acknowledgement is waited for.
            self._timer = self._loop.call_later(_BUSY_POLL_SECONDS if self._pending else _IDLE_POLL_SECONDS, self._tick)

    def _end_overdue(self) -> None:
        now = self._now()
        while self._pending:
            oldest = next(iter(self._pending))
            if oldest.deadline > now:
                return
            oldest.end()

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
        elif (refused := refusal(self._cluster, error)) is not None:
            if not self._said_refused:
                self._said_refused = True
                _log.error("%s", refused)
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            # Half a second before the statistics would say so.
            self._notice(up=False)

    def _on_statistics(self, statistics: str) -> None:
        self._notice(up=any(broker.state == "UP" for broker in _statistics_decoder.decode(statistics).brokers.values()))

    def _notice(self, *, up: bool) -> None:
        self._up = up
        self._said_refused = self._said_refused and not up
        if up and self._said_away:
            self._said_away = False
            _log.info("Kafka at %s answers again.", self._cluster)
        elif not up and not self._said_away and self._now() - self._started > _CONNECTING_SECONDS:
            self._said_away = True
            _log.warning("Kafka at %s is away.", self._cluster)


class _Delivery:
    """The records of one write, and the future that is done when each has its result."""

    __slots__ = ("_open", "_pending", "_refused", "deadline", "future", "records")

    def __init__(
        self,
        future: "asyncio.Future[Results]",
        deadline: float,
        records: Sequence[OutgoingRecord],
        pending: "OrderedDict[_Delivery, None]",
    ) -> None:
        self.future = future
        self.deadline = deadline
        self.records = records
        self._open = len(records)
        self._refused: dict[bytes, WriteRefused] = {}
        self._pending = pending
        pending[self] = None
        if not records:
            self.end()

    def settle(self, error: KafkaError | None, message: Message) -> None:
        """The result of one record; after the end it changes nothing any more."""
        if error is not None:
            self._refused[message.value() or b""] = WriteRefused(str(error))
        self._settle_one()

    def refuse(self, record: OutgoingRecord, trouble: str) -> None:
        """The result of a record that librdkafka did not take."""
        self._refused[record.value] = WriteRefused(trouble)
        self._settle_one()

    def _settle_one(self) -> None:
        self._open -= 1
        if not self._open and self in self._pending:
            self.end()

    def end(self) -> None:
        """Where some have no result yet it is not known which: all are refused, and may be stored all the same."""
        del self._pending[self]
        if self.future.done():
            return
        if self._open:
            self.future.set_result([_UNANSWERED] * len(self.records))
        elif self._refused:
            # Found by what they are: two that are the same share their fate.
            self.future.set_result([self._refused.get(record.value) for record in self.records])
        else:
            self.future.set_result([None] * len(self.records))


_QUEUE_FULL = "the queue to Kafka is full"
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
