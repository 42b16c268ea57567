"""What every process that talks to Kafka is told by its environment, and what whoever creates the topics is."""

import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from event_stream.kafka_cluster import KafkaCluster
from event_stream.topics import EVENTS, REJECTED, SALTS, Topic

_PROTOCOL = "LOGEKTOR_KAFKA_SECURITY_PROTOCOL"


class KafkaSettings(BaseSettings):
    """How the process knows Kafka, and proves who it is."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True, hide_input_in_errors=True)

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="how Kafka is spoken to: PLAINTEXT, SSL (TLS), SASL_PLAINTEXT (user name and password) or SASL_SSL "
        "(both), as its listener is set up",
    )
    kafka_ca_file: FilePath | None = Field(
        None, description="PEM file of the authorities that sign the brokers' certificates; unset: the system's"
    )
    kafka_certificate_file: FilePath | None = Field(
        None, description="PEM file of this client's certificate, where the brokers ask for one (mutual TLS)"
    )
    kafka_key_password: SecretStr | None = Field(None, description="password of the key's file, if it has one")
    kafka_key_file: FilePath | None = Field(
        None, validate_default=True, description="PEM file of the key of this client's certificate"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, validate_default=True, description="how the password is proved, as Kafka's listener is set up"
    )
    kafka_sasl_username: str | None = Field(None, validate_default=True, description="name of a user of Kafka")
    kafka_sasl_password: SecretStr | None = Field(None, validate_default=True, description="password of this user")

    @field_validator("kafka_ca_file", "kafka_certificate_file", "kafka_key_password", "kafka_key_file")
    @classmethod
    def _belongs_to_tls(cls, value: object, info: ValidationInfo) -> object:
        protocol: str = info.data.get("kafka_security_protocol", "")
        if value is not None and not protocol.endswith("SSL"):
            raise _bad(f"is of no use while {_PROTOCOL} is {protocol}; TLS is SSL or SASL_SSL")
        return value

    @field_validator("kafka_ca_file")
    @classmethod
    def _holds_certificates(cls, file: Path | None) -> Path | None:
        if file is not None:
            try:
                ssl.create_default_context(cafile=file)
            except (ssl.SSLError, OSError) as error:
                raise _bad(f"{file} holds no certificate in PEM form: {error.strerror or error}") from error
        return file

    @field_validator("kafka_key_file")
    @classmethod
    def _belongs_to_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        certificate: Path | None = info.data.get("kafka_certificate_file")
        if (certificate is None) != (key is None):
            raise _bad("a certificate and its key come together: set this and LOGEKTOR_KAFKA_CERTIFICATE_FILE")
        if certificate is not None and key is not None:
            password: SecretStr | None = info.data.get("kafka_key_password")
            try:
                # Without any it would ask at the terminal.
                given = password.get_secret_value() if password is not None else ""
                ssl.create_default_context().load_cert_chain(certificate, key, lambda: given)
            except (ssl.SSLError, OSError, ValueError) as error:
                raise _bad(
                    f"{key} is not the key of {certificate} in PEM form, or LOGEKTOR_KAFKA_KEY_PASSWORD is not its "
                    "password"
                ) from error
        return key

    @field_validator("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
    @classmethod
    def _belongs_to_sasl(cls, value: object, info: ValidationInfo) -> object:
        protocol: str = info.data.get("kafka_security_protocol", "")
        if protocol and (value is not None) != protocol.startswith("SASL"):
            use = "is of no use" if value is not None else "is needed"
            raise _bad(f"{use} while {_PROTOCOL} is {protocol}")
        return value

    def cluster_at(self, bootstrap_servers: str) -> KafkaCluster:
        """The cluster at this address, as these settings know it."""
        told = {
            "security.protocol": self.kafka_security_protocol,
            "ssl.ca.location": self.kafka_ca_file,
            "ssl.certificate.location": self.kafka_certificate_file,
            "ssl.key.location": self.kafka_key_file,
            "ssl.key.password": self.kafka_key_password and self.kafka_key_password.get_secret_value(),
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_sasl_username,
            "sasl.password": self.kafka_sasl_password and self.kafka_sasl_password.get_secret_value(),
        }
        return KafkaCluster(bootstrap_servers, {name: str(value) for name, value in told.items() if value is not None})


class TopicSettings(BaseSettings):
    """How the topics are created where they are missing; one that is there is never changed."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    kafka_topic_partitions: int = Field(
        4, ge=1, description="stream partitions of the topic of events: at most so many workers land at the same time"
    )
    kafka_topic_replication: int | None = Field(
        None, ge=1, description="copies of each topic, each on another broker; unset: the cluster's default"
    )
    kafka_topic_min_insync: int | None = Field(
        None,
        ge=1,
        description="copies that must have an event before it is answered 202; one less than the copies, so that one "
        "broker may be away; unset: the cluster's default",
    )
    kafka_topic_retention_hours: int = Field(
        168, ge=1, description="hours that Kafka keeps events and rejections: at most so long may landing stand still"
    )
    kafka_topic_compression: Literal["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"] = Field(
        "producer", description="how brokers compress the topics; producer: as the collectors send them, which is lz4"
    )

    @field_validator("kafka_topic_min_insync")
    @classmethod
    def _at_most_the_copies(cls, copies: int | None, info: ValidationInfo) -> int | None:
        replication: int | None = info.data.get("kafka_topic_replication")
        if copies is not None and replication is not None and copies > replication:
            raise _bad(f"there are only {replication} copies, as LOGEKTOR_KAFKA_TOPIC_REPLICATION says")
        return copies

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics as they are to be."""
        retention = timedelta(hours=self.kafka_topic_retention_hours)
        shaped = (
            replace(EVENTS, partitions=self.kafka_topic_partitions, retention=retention),
            replace(REJECTED, retention=retention),
            SALTS,
        )
        return tuple(
            replace(
                topic,
                replication=self.kafka_topic_replication,
                min_insync=self.kafka_topic_min_insync,
                compression=self.kafka_topic_compression,
            )
            for topic in shaped
        )


def _bad(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("kafka", "{sentence}", {"sentence": sentence})
