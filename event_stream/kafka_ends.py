"""Where the stream begins and ends now."""

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # OffsetSpec is documented, not exported by type
    AdminClient,
    OffsetSpec,
)

from event_stream.errors import BrokerAway
from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster
from event_stream.ports import StreamPartition
from event_stream.topics import Topic

_AGAIN_SECONDS = 0.2


def read_ends(cluster: KafkaCluster, topics: Sequence[Topic], seconds: float) -> Mapping[StreamPartition, int]:
    """Per stream partition the offset that the next record will have. Raises KafkaException after `seconds`."""
    admin = KafkaAdmin(cluster).client
    return _offsets(admin, _places(admin, topics, seconds), OffsetSpec.latest(), seconds)  # type: ignore[no-untyped-call]


def read_ranges(
    cluster: KafkaCluster, topics: Sequence[Topic], seconds: float
) -> Mapping[StreamPartition, tuple[int, int]]:
    """Per stream partition the first offset that the broker holds and that of the next record.

    Asks again for `seconds`. Raises BrokerAway then, and ClientRefused at once.
    """
    admin = KafkaAdmin(cluster)
    deadline = time.monotonic() + seconds
    while True:
        try:
            return _ranges(admin.client, topics, max(deadline - time.monotonic(), _AGAIN_SECONDS))
        except KafkaException as error:
            # A topic that was made a moment ago has no leader yet, and one whose leader died gets another.
            reason = admin.reason(error)
            if time.monotonic() > deadline:
                raise BrokerAway(f"Kafka at {cluster} did not say which records it holds: {reason}") from error
        time.sleep(_AGAIN_SECONDS)


def _ranges(admin: AdminClient, topics: Sequence[Topic], seconds: float) -> Mapping[StreamPartition, tuple[int, int]]:
    places = _places(admin, topics, seconds)
    firsts = _offsets(admin, places, OffsetSpec.earliest(), seconds)  # type: ignore[no-untyped-call]
    ends = _offsets(admin, places, OffsetSpec.latest(), seconds)  # type: ignore[no-untyped-call]
    return {place: (first, ends[place]) for place, first in firsts.items()}


def _places(admin: AdminClient, topics: Sequence[Topic], seconds: float) -> Mapping[TopicPartition, StreamPartition]:
    cluster = admin.describe_cluster(request_timeout=seconds).result()
    described = admin.describe_topics(TopicCollection([topic.name for topic in topics]), request_timeout=seconds)
    return {
        TopicPartition(name, partition.id): StreamPartition(
            f"{cluster.cluster_id}/{topic.topic_id}", name, partition.id
        )
        for name, future in described.items()
        for topic in [future.result()]
        for partition in topic.partitions
    }


def _offsets(
    admin: AdminClient, places: Mapping[TopicPartition, StreamPartition], spec: OffsetSpec, seconds: float
) -> dict[StreamPartition, int]:
    found = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=seconds)
    return {places[wanted]: future.result().offset for wanted, future in found.items()}
