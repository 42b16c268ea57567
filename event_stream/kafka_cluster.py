"""How a Kafka cluster is reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class KafkaCluster:
    """Where a cluster is (`host:port,…`), and how its clients know it and prove who they are.

    `security` is in librdkafka's words and holds secrets: neither the text nor the representation shows it.
    """

    bootstrap_servers: str
    security: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.bootstrap_servers

    @property
    def client(self) -> dict[str, Any]:
        """What every client of the cluster is told."""
        return {"bootstrap.servers": self.bootstrap_servers, **self.security}
