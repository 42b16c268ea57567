"""Creating the topics in a cluster."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from event_stream.errors import BrokerAway
from event_stream.topics import Topic

_TRY_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_IS_THERE = KafkaError.TOPIC_ALREADY_EXISTS


def ensure_topics(bootstrap_servers: str, topics: Sequence[Topic], seconds: float) -> None:
    """Creates the topics that are missing; those that are there stay as they are.

    Raises BrokerAway where that could not be done within `seconds`.
    """
    deadline = time.monotonic() + seconds
    # A broker that is still starting is waited for, so librdkafka need not log each try.
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "reconnect.backoff.max.ms": 250, "log_level": 0})
    trouble = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            _create(admin, topics, min(left, _TRY_SECONDS))
            return
        except KafkaException as error:
            trouble = error.args[0].str()
        time.sleep(_PAUSE_SECONDS)
    raise BrokerAway(
        f"Kafka at {bootstrap_servers} did not create its topics within {seconds:g} s: {trouble}. "
        "Check that it runs and that LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS names it."
    )


def _create(admin: AdminClient, topics: Sequence[Topic], seconds: float) -> None:
    existing = admin.list_topics(timeout=seconds).topics
    missing = [_new_topic(topic) for topic in topics if topic.name not in existing]
    if not missing:
        return
    created = admin.create_topics(missing, operation_timeout=seconds, request_timeout=seconds)
    for future in created.values():
        _require_created(future)


def _require_created(future: "Future[None]") -> None:
    try:
        future.result()
    except KafkaException as error:
        # Another process was quicker.
        if error.args[0].code() != _IS_THERE:
            raise


def _new_topic(topic: Topic) -> NewTopic:
    config = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(topic.retention),
        "max.message.bytes": str(topic.max_record_bytes),
        "message.timestamp.type": "CreateTime",
    }
    if topic.segment is not None:
        config["segment.ms"] = _milliseconds(topic.segment)
    # -1: as many copies as the cluster makes by default.
    return NewTopic(topic.name, topic.partitions, -1, config=config)


def _milliseconds(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))
