"""A topic of Kafka that everybody reads whole and follows."""

import asyncio
import logging
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from event_stream.errors import WriteRefused
from event_stream.kafka_cluster import KafkaCluster
from event_stream.topics import Topic

_log = logging.getLogger(__name__)

_MOST_AT_ONCE = 1_000
_APPEND_SECONDS = 2.0


class KafkaLog:
    """A SharedLog on a Kafka cluster.

    It writes by a producer made for each record, since what is shared like this is seldom written. Where its topic is
    deleted and made anew, it has to be made anew too.
    """

    def __init__(self, cluster: KafkaCluster, topic: Topic) -> None:
        self._connection: dict[str, object] = {
            **cluster.client,
            "reconnect.backoff.max.ms": 1000,
            # Whether Kafka is away is told by whoever writes events.
            "log_level": 0,
        }
        self._topic = topic.name
        self._at_end = False
        self._next_offset = 0
        self._appended = -1
        self._told: KafkaError | None = None
        self._consumer = Consumer(
            {
                **self._connection,
                # The client asks for a name; nobody joins a group by `assign`.
                "group.id": topic.name,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": False,
                "queued.max.messages.kbytes": 256,
            }
        )
        self._consumer.assign([TopicPartition(topic.name, 0, OFFSET_BEGINNING)])

    def read(self) -> Sequence[bytes]:
        values = []
        for message in self._consumer.consume(_MOST_AT_ONCE, 0):
            trouble, offset, value = message.error(), message.offset(), message.value()
            if trouble is None and offset is not None:
                self._at_end = False
                self._next_offset = offset + 1
                if value is not None:
                    values.append(value)
            elif trouble is not None and trouble.code() == KafkaError._PARTITION_EOF:
                self._at_end = True
            elif trouble is not None and trouble != self._told:
                self._told = trouble
                _log.warning("The topic %s can't be read: %s", self._topic, trouble.str())
        return values

    def is_read(self) -> bool:
        return self._at_end and self._next_offset > self._appended

    async def append(self, value: bytes, timestamp: int) -> None:
        self._appended = await asyncio.to_thread(self._produce, value, timestamp)

    def close(self) -> None:
        self._consumer.close()

    def _produce(self, value: bytes, timestamp: int) -> int:
        results: list[tuple[KafkaError | None, int | None]] = []

        def delivered(trouble: KafkaError | None, message: Message) -> None:
            results.append((trouble, message.offset()))

        producer = Producer({**self._connection, "acks": "all", "message.timeout.ms": round(_APPEND_SECONDS * 1000)})
        try:
            producer.produce(self._topic, value, partition=0, timestamp=timestamp, on_delivery=delivered)
        except KafkaException as error:
            raise WriteRefused(str(error.args[0])) from error
        producer.flush(_APPEND_SECONDS + 1)
        if not results:
            producer.purge()
            raise WriteRefused("Kafka did not acknowledge it in time")
        trouble, offset = results[0]
        if trouble is not None or offset is None:
            raise WriteRefused(str(trouble))
        return offset
