"""Apache Kafka on this machine: its jars from a Maven repository, its Java from a wheel, one KRaft node in a folder."""

from logektor.embedded_kafka.broker import EmbeddedKafka, free_port, wait_until_ready
from logektor.embedded_kafka.distribution import Distribution, Progress, resolve
from logektor.embedded_kafka.errors import (
    DownloadFailed,
    EmbeddedKafkaError,
    FormatFailed,
    JarChanged,
    NotReady,
)

__all__ = [
    "Distribution",
    "DownloadFailed",
    "EmbeddedKafka",
    "EmbeddedKafkaError",
    "FormatFailed",
    "JarChanged",
    "NotReady",
    "Progress",
    "free_port",
    "resolve",
    "wait_until_ready",
]
