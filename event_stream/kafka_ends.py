"""Where the stream ends now, for those who want to know how far behind they are."""

from collections.abc import Mapping, Sequence

from confluent_kafka import TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # OffsetSpec is documented, not exported by type
    AdminClient,
    OffsetSpec,
)

from event_stream.ports import StreamPartition
from event_stream.topics import Topic


def read_ends(bootstrap_servers: str, topics: Sequence[Topic], seconds: float) -> Mapping[StreamPartition, int]:
    """Per stream partition the offset that the next record will have. Raises KafkaException after `seconds`."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    cluster = admin.describe_cluster(request_timeout=seconds).result()
    described = admin.describe_topics(TopicCollection([topic.name for topic in topics]), request_timeout=seconds)
    places = {}
    for name, future in described.items():
        topic = future.result()
        for partition in topic.partitions:
            wanted = TopicPartition(name, partition.id)
            places[wanted] = StreamPartition(f"{cluster.cluster_id}/{topic.topic_id}", name, partition.id)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = admin.list_offsets(dict.fromkeys(places, latest), request_timeout=seconds)
    return {places[wanted]: future.result().offset for wanted, future in ends.items()}
