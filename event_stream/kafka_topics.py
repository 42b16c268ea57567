"""The topics of a cluster: how they are, and making those that are missing."""

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented, not exported by type
    AdminClient,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from event_stream.errors import BrokerAway
from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.topics import Topic

_log = logging.getLogger(__name__)

_TRY_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_RECONNECT_SECONDS = 0.25
_IS_THERE = KafkaError.TOPIC_ALREADY_EXISTS
_ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}


@dataclass(frozen=True)
class FoundTopic:
    """A topic as the brokers have it.

    `replication` and `in_sync` are those of the stream partition that has the fewest copies, and the fewest copies that
    are up to date; `without_leader` counts the stream partitions that can't be used now. `config` is empty where this
    client may not ask for it.
    """

    name: str
    partitions: int
    replication: int
    in_sync: int
    without_leader: int
    config: Mapping[str, str]


def ensure_topics(cluster: KafkaCluster, topics: Sequence[Topic], seconds: float) -> None:
    """Creates the topics that are missing; those that are there stay as they are, and where they differ is logged.

    Raises BrokerAway where that could not be done within `seconds`, and ClientRefused.
    """
    deadline = time.monotonic() + seconds
    admin = KafkaAdmin(cluster, reconnect_seconds=_RECONNECT_SECONDS)
    trouble = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            _create_or_compare(admin.client, topics, min(left, _TRY_SECONDS))
            return
        except KafkaException as error:
            trouble = admin.reason(error)
        time.sleep(_PAUSE_SECONDS)
    raise BrokerAway(
        f"Kafka at {cluster} did not create its topics within {seconds:g} s: {trouble}. "
        "Check that it runs and that LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS names it."
    )


def find_topics(admin: AdminClient, names: Sequence[str], seconds: float) -> Mapping[str, FoundTopic]:
    """Those of the topics that are there. Raises KafkaException."""
    described = admin.describe_topics(TopicCollection(list(names)), request_timeout=seconds)
    found = {}
    for name, future in described.items():
        try:
            partitions = future.result().partitions
        except KafkaException as error:
            if error.args[0].code() in _ABSENT:
                continue
            raise
        found[name] = FoundTopic(
            name,
            len(partitions),
            min(len(partition.replicas) for partition in partitions),
            min(len(partition.isr) for partition in partitions),
            sum(partition.leader is None or partition.leader.id < 0 for partition in partitions),
            _config(admin, name, seconds),
        )
    return found


def differences(topic: Topic, found: FoundTopic) -> list[str]:
    """What of a topic is not as it is to be; what was left to the cluster is never different."""
    shape = [("partitions", found.partitions, topic.partitions)]
    if topic.replication is not None:
        shape.append(("replication", found.replication, topic.replication))
    different = [f"{what} {now} (to be {wanted})" for what, now, wanted in shape if now != wanted]
    for name, wanted in _wanted_config(topic).items():
        if (now := found.config.get(name, wanted)) != wanted:
            different.append(f"{name} {now} (to be {wanted})")
    return different


def _create_or_compare(admin: AdminClient, topics: Sequence[Topic], seconds: float) -> None:
    existing = admin.list_topics(timeout=seconds).topics
    missing = [_new_topic(topic) for topic in topics if topic.name not in existing]
    if missing:
        created = admin.create_topics(missing, operation_timeout=seconds, request_timeout=seconds)
        for future in created.values():
            _require_created(future)
    there = {topic.name: topic for topic in topics if topic.name in existing}
    for name, found in find_topics(admin, list(there), seconds).items() if there else ():
        if different := differences(there[name], found):
            _log.warning("The topic %s stays as it is, which is not as set: %s.", name, ", ".join(different))


def _require_created(future: "Future[None]") -> None:
    try:
        future.result()
    except KafkaException as error:
        # Another process was quicker.
        if error.args[0].code() != _IS_THERE:
            raise


def _new_topic(topic: Topic) -> NewTopic:
    # -1: as many copies as the cluster makes by default.
    copies = -1 if topic.replication is None else topic.replication
    return NewTopic(topic.name, topic.partitions, copies, config=dict(_wanted_config(topic)))


def _wanted_config(topic: Topic) -> Mapping[str, str]:
    config = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(topic.retention),
        "max.message.bytes": str(topic.max_record_bytes),
        "message.timestamp.type": "CreateTime",
        "compression.type": topic.compression,
    }
    if topic.segment is not None:
        config["segment.ms"] = _milliseconds(topic.segment)
    if topic.min_insync is not None:
        config["min.insync.replicas"] = str(topic.min_insync)
    return config


def _config(admin: AdminClient, name: str, seconds: float) -> Mapping[str, str]:
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)], request_timeout=seconds)
    try:
        (future,) = asked.values()
        return {key: str(entry.value) for key, entry in future.result().items()}
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return {}
        raise


def _milliseconds(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))
