"""Where the stream begins and ends now."""

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # OffsetSpec is documented, not exported by type
    AdminClient,
    OffsetSpec,
)

from event_stream.errors import BrokerAway
from event_stream.ports import StreamPartition
from event_stream.topics import Topic


def read_ends(bootstrap_servers: str, topics: Sequence[Topic], seconds: float) -> Mapping[StreamPartition, int]:
    """Per stream partition the offset that the next record will have. Raises KafkaException after `seconds`."""
    admin = _admin(bootstrap_servers)
    return _offsets(admin, _places(admin, topics, seconds), OffsetSpec.latest(), seconds)  # type: ignore[no-untyped-call]


def read_ranges(
    bootstrap_servers: str, topics: Sequence[Topic], seconds: float
) -> Mapping[StreamPartition, tuple[int, int]]:
    """Per stream partition the first offset that the broker holds and that of the next record. Raises BrokerAway."""
    try:
        admin = _admin(bootstrap_servers)
        places = _places(admin, topics, seconds)
        firsts = _offsets(admin, places, OffsetSpec.earliest(), seconds)  # type: ignore[no-untyped-call]
        ends = _offsets(admin, places, OffsetSpec.latest(), seconds)  # type: ignore[no-untyped-call]
    except KafkaException as error:
        raise BrokerAway(f"Kafka at {bootstrap_servers} did not say which records it holds: {error}") from error
    return {place: (first, ends[place]) for place, first in firsts.items()}


def _admin(bootstrap_servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})


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
