"""What a cluster says of itself, its topics, and those who use them."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # OffsetSpec is documented, not exported by type
    AdminClient,
    OffsetSpec,
)

from event_stream.errors import ClientRefused
from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_log import KafkaLog
from event_stream.kafka_topics import FoundTopic, find_topics
from event_stream.topics import EVENTS, SALTS, Topic
from ingest_api.shared_salts import SaltRecord
from logektor.doctor.facts import KafkaFacts

SECONDS = 10.0
_PAUSE_SECONDS = 0.05
# Where nobody ever was in a group, the cluster first has to make the topic that groups are kept in.
_NO_GROUP = {KafkaError.GROUP_ID_NOT_FOUND, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError._TIMED_OUT}


def look_at_kafka(cluster: KafkaCluster, topics: Sequence[Topic], group: str, salts: Path) -> KafkaFacts:
    """Cluster, topics, members of the landing workers' `group`, and this home's `salts` against the topic's."""
    admin = KafkaAdmin(cluster)
    try:
        brokers = len(admin.client.describe_cluster(request_timeout=SECONDS).result().nodes)
        found = find_topics(admin.client, [topic.name for topic in topics], SECONDS)
        workers = _members(admin.client, group)
    except KafkaException as error:
        return KafkaFacts(str(cluster), _trouble(cluster, admin, error))
    other_salts = _other_salts(salts, _shared_salts(cluster)) if salts.exists() and SALTS.name in found else None
    return KafkaFacts(str(cluster), None, brokers, found, workers, other_salts)


def newest_event(cluster: KafkaCluster, topics: Mapping[str, FoundTopic]) -> float | None:
    """The latest instant that a collector has given to an event, in Unix seconds; None where there is none to ask."""
    events = topics.get(EVENTS.name)
    if events is None:
        return None
    spec = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    places = {TopicPartition(events.name, number): spec for number in range(events.partitions)}
    try:
        asked = KafkaAdmin(cluster).client.list_offsets(places, request_timeout=SECONDS)
        latest = max(future.result().timestamp for future in asked.values())
    except KafkaException:
        return None
    return latest / 1_000 if latest >= 0 else None


def _trouble(cluster: KafkaCluster, admin: KafkaAdmin, error: KafkaException) -> str:
    try:
        return f"Kafka at {cluster} does not answer: {admin.reason(error)}"
    except ClientRefused as refused:
        return str(refused)


def _members(admin: AdminClient, group: str) -> int:
    (future,) = admin.describe_consumer_groups([group], request_timeout=SECONDS).values()
    try:
        return len(future.result().members)
    except KafkaException as error:
        if error.args[0].code() in _NO_GROUP:
            return 0
        raise


def _shared_salts(cluster: KafkaCluster) -> Mapping[date, bytes]:
    """By date the first salt on the topic, which is the one that counts."""
    salts: dict[date, bytes] = {}
    deadline = time.monotonic() + SECONDS
    with closing(KafkaLog(cluster, SALTS)) as log:
        while not log.is_read() and time.monotonic() < deadline:
            for value in log.read():
                record = msgspec.json.decode(value, type=SaltRecord)
                salts.setdefault(record.date, record.salt)
            time.sleep(_PAUSE_SECONDS)
    return salts


def _other_salts(folder: Path, shared: Mapping[date, bytes]) -> list[str]:
    held = {day: folder / day.isoformat() for day in sorted(shared)}
    return [day.isoformat() for day, file in held.items() if file.exists() and file.read_bytes() != shared[day]]
