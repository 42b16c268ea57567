"""Asking a cluster about itself."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from event_stream.errors import ClientRefused
from event_stream.kafka_cluster import KafkaCluster

_CREDENTIALS = "LOGEKTOR_KAFKA_SASL_MECHANISM, LOGEKTOR_KAFKA_SASL_USERNAME and LOGEKTOR_KAFKA_SASL_PASSWORD"
_CERTIFICATES = "LOGEKTOR_KAFKA_CA_FILE, and LOGEKTOR_KAFKA_CERTIFICATE_FILE where the broker asks for one"


def refusal(cluster: KafkaCluster, error: KafkaError) -> ClientRefused | None:
    """What it means for a client that connecting to a broker failed like this; None where it is worth another try."""
    if error.code() == KafkaError._AUTHENTICATION:
        advice = _CREDENTIALS
    elif error.code() == KafkaError._SSL or "SSL alert" in error.str():
        # An alert is how a broker says that it does not believe a certificate, or misses one.
        advice = _CERTIFICATES
    else:
        return None
    return ClientRefused(f"Kafka at {cluster} and this client: {error.str()}. Check {advice}.")


class KafkaAdmin:
    """An admin client that remembers why connecting fails; a call's own error says only that it does."""

    def __init__(self, cluster: KafkaCluster, *, reconnect_seconds: float = 1.0) -> None:
        self._cluster = cluster
        self._trouble: KafkaError | None = None
        settings: dict[str, Any] = {
            **cluster.client,
            # A broker that is still starting is waited for, so librdkafka need not log each try.
            "reconnect.backoff.max.ms": round(reconnect_seconds * 1000),
            "log_level": 0,
            "error_cb": self._on_error,
        }
        self.client = AdminClient(settings)

    def reason(self, error: KafkaException) -> str:
        """Why a call failed. Raises ClientRefused where trying again is of no use."""
        self.client.poll(0)
        trouble, self._trouble = self._trouble, None
        if trouble is None:
            return str(error.args[0].str())
        if (refused := refusal(self._cluster, trouble)) is not None:
            raise refused from error
        return trouble.str()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._trouble = error
