"""What Kafka holds that is not landed yet."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_ends import read_ends
from event_stream.topics import EVENTS, REJECTED
from lake.location import Lake
from lake.raw import read_snapshot

_KAFKA_SECONDS = 2.0
_PAUSE_SECONDS = 0.2


def wait_until_landed(
    cluster: KafkaCluster, lake: Lake, seconds: float, now: Callable[[], float] = time.monotonic
) -> int | None:
    """Waits at most so long for all that Kafka holds at the beginning; answers how many records are missing still.

    None where Kafka does not answer. Raises LakeAway.
    """
    try:
        ends = read_ends(cluster, (EVENTS, REJECTED), _KAFKA_SECONDS)
    except KafkaException:
        return None
    deadline = now() + seconds
    while True:
        snapshot = read_snapshot(lake)
        landed = snapshot.next_offsets if snapshot is not None else {}
        missing = sum(max(0, end - landed.get((place.stream_id, place.partition), 0)) for place, end in ends.items())
        if not missing or now() >= deadline:
            return missing
        time.sleep(_PAUSE_SECONDS)
