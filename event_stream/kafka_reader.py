"""Reading from Kafka as a member of a group."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from event_stream.errors import BrokerAway, OffsetLost, StreamBroken
from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.ports import NextOffsets, OnAssign, OnRevoke, Record, StreamPartition
from event_stream.topics import Topic

_log = logging.getLogger(__name__)

_ASK_SECONDS = 10.0
_SAY_SECONDS = 10.0
"""How long a trouble is not said again. librdkafka tells of each connection that fails: 18 a second."""

_PAUSE_SECONDS = 0.1

_LOST = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


def wait_for_topics(cluster: KafkaCluster, topics: Sequence[Topic], seconds: float) -> None:
    """Returns once the broker answers and has these topics.

    Raises BrokerAway after so many seconds, and ClientRefused.
    """
    deadline = time.monotonic() + seconds
    names = [topic.name for topic in topics]
    admin = KafkaAdmin(cluster)
    while True:
        try:
            _topic_ids(admin.client, names, min(_ASK_SECONDS, seconds))
            return
        except KafkaException as error:
            trouble = admin.reason(error)
        if time.monotonic() >= deadline:
            raise BrokerAway(
                f"Kafka at {cluster} did not offer the topics {', '.join(names)} within {seconds:g} s:"
                f" {trouble}. Check that it runs, and that a collector has created them."
            )
        time.sleep(_PAUSE_SECONDS)


class KafkaReader:
    """An EventReader on a Kafka cluster, in a group of the classic protocol, which every broker speaks.

    A member that dies is missed after `session_seconds`; its stream partitions then go to the others.
    """

    def __init__(
        self,
        cluster: KafkaCluster,
        topics: Sequence[Topic],
        group: str,
        on_assign: OnAssign,
        on_revoke: OnRevoke,
        *,
        session_seconds: float = 6.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_assign = on_assign
        self._on_revoke = on_revoke
        self._admin = KafkaAdmin(cluster).client
        self._cluster_id = ""
        self._assigned: dict[tuple[str, int], StreamPartition] = {}
        self._unverified: list[Record] = []
        self._now = now
        self._said_at: dict[int, float] = {}
        self._consumer = Consumer(
            {
                **cluster.client,
                "group.id": group,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": round(session_seconds * 1000),
                "heartbeat.interval.ms": round(session_seconds * 1000 / 6),
                # The lake says where to read on: a jump would lose or repeat records in silence.
                "auto.offset.reset": "error",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "allow.auto.create.topics": False,
                "queued.max.messages.kbytes": 32 * 1024,
                "reconnect.backoff.max.ms": 1000,
                "error_cb": self._say,
                "log_level": 0,
            }
        )
        self._consumer.subscribe(
            [topic.name for topic in topics],
            on_assign=self._assign,
            on_revoke=self._revoke,
            on_lost=self._revoke,
        )

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        if not self._unverified:
            self._unverified = self._consume(max_records, timeout)
        return self._verified() if self._unverified else []

    def commit(self, next_offsets: NextOffsets) -> None:
        offsets = [TopicPartition(place.topic, place.partition, offset) for place, offset in next_offsets.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            _log.info("The position for lag tools was not committed: %s", error)

    def close(self) -> None:
        self._consumer.close()

    def _consume(self, max_records: int, timeout: float) -> list[Record]:
        records = []
        try:
            messages = self._consumer.consume(max_records, timeout)
        except KafkaException as error:
            raise StreamBroken(f"Kafka can't be read any more: {error}. Start the worker again.") from error
        for message in messages:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            trouble = message.error()
            if trouble is not None:
                _raise_if_lost(trouble, f"{topic}[{partition}] offset {offset}")
                self._say(trouble)
            elif topic is not None and partition is not None and offset is not None:
                # One read before its stream partition was revoked may still come out after.
                place = self._assigned.get((topic, partition))
                if place is not None:
                    records.append(Record(place, offset, message.timestamp()[1], message.value() or b""))
        return records

    def _verified(self) -> list[Record]:
        """Lets records go once the broker says that their topics still are those that were assigned.

        A topic that is deleted and made anew goes on unnoticed where its offsets allow: its first records would be
        skipped and the others taken for those of the old one. An id never comes back, so asking afterwards is enough.
        """
        topics = {record.place.topic: record.place.stream_id for record in self._unverified}
        try:
            now = self._stream_ids(topics)
        except KafkaException as error:
            if error.args[0].code() in _LOST:
                raise OffsetLost(f"A topic of {', '.join(topics)} is gone from the broker.") from error
            return []
        for topic, stream_id in topics.items():
            if now[topic] != stream_id:
                raise OffsetLost(
                    f"The topic {topic} was deleted and made anew while it was read (it was {stream_id} and is"
                    f" {now[topic]}). Start the worker again: it says how to go on."
                )
        records, self._unverified = self._unverified, []
        return records

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            stream_ids = self._stream_ids({partition.topic for partition in partitions})
        except KafkaException as error:
            raise BrokerAway(f"Kafka did not say which topics it has: {error}") from error
        gained = [StreamPartition(stream_ids[new.topic], new.topic, new.partition) for new in partitions]
        starts = self._on_assign(gained)
        for place, partition in zip(gained, partitions, strict=True):
            partition.offset = starts.get(place, OFFSET_BEGINNING)
            self._assigned[place.topic, place.partition] = place
        consumer.incremental_assign(partitions)

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        lost = {self._assigned.pop((old.topic, old.partition)) for old in partitions}
        self._unverified = [record for record in self._unverified if record.place not in lost]
        self._on_revoke(sorted(lost))

    def _say(self, trouble: KafkaError) -> None:
        now, code = self._now(), trouble.code()
        if now - self._said_at.get(code, -math.inf) >= _SAY_SECONDS:
            self._said_at[code] = now
            _log.warning("Kafka: %s", trouble.str())

    def _stream_ids(self, topics: Iterable[str]) -> Mapping[str, str]:
        if not self._cluster_id:
            self._cluster_id = _cluster_id(self._admin)
        return {topic: f"{self._cluster_id}/{topic_id}" for topic, topic_id in _topic_ids(self._admin, topics).items()}


def _cluster_id(admin: AdminClient) -> str:
    return str(admin.describe_cluster(request_timeout=_ASK_SECONDS).result().cluster_id)


def _topic_ids(admin: AdminClient, topics: Iterable[str], seconds: float = _ASK_SECONDS) -> dict[str, str]:
    answers = admin.describe_topics(TopicCollection(list(topics)), request_timeout=seconds)
    return {topic: str(answer.result().topic_id) for topic, answer in answers.items()}


def _raise_if_lost(error: KafkaError, where: str) -> None:
    if error.fatal():
        raise StreamBroken(f"Kafka can't be read any more: {error.str()}. Start the worker again.")
    if error.code() in _LOST:
        raise OffsetLost(
            f"The next record to land, {where}, is not in the broker: {error.str()}."
            " It expired before it was landed, or the topic was deleted. The worker never skips records by itself."
        )
