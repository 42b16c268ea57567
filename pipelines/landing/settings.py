"""The settings of the landing worker's process."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_settings import KafkaSettings


class LandingSettings(KafkaSettings):
    """What the landing worker is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    home: Path = Field(
        Path("var"), validate_default=True, description="folder of landing.json, and of the lake by default"
    )
    lake_uri: str | None = Field(None, description="where the tables are: a folder or s3://…; default <home>/lake")
    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", description="the Kafka cluster, host:port,…")
    landing_group: str = Field(
        "logektor-landing", min_length=1, description="the consumer group that all workers of one lake share"
    )
    landing_max_age: float = Field(
        1.0, gt=0, le=60, description="seconds that a record waits at most before its batch is landed"
    )
    landing_max_records: int = Field(
        50_000, ge=1, description="records of a batch at most; so many more are read while a batch is landed"
    )
    landing_max_bytes: int = Field(
        16 * 1024 * 1024, ge=1, description="bytes of records after which a batch is landed; bounds the memory"
    )
    landing_reopen_commits: int = Field(
        50, ge=1, description="commits after which the log is shortened by a checkpoint and the table opened anew"
    )
    landing_dead_letter_share: float = Field(
        0.5, ge=0, le=1, description="share of 1,000 records in a row that may be unreadable; above it the worker stops"
    )
    landing_start_seconds: float = Field(
        60.0, gt=0, description="how long the worker waits at its start for Kafka and the topics"
    )
    landing_metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="port on which the worker answers GET /metrics; off by default"
    )
    landing_metrics_host: str = Field("127.0.0.1", description="the address that this port is opened on")
    stop_seconds: float = Field(
        8.0, gt=0, description="how long the worker may take to land what it has read when it is asked to stop"
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @property
    def kafka(self) -> KafkaCluster:
        """The cluster that events are read from."""
        return self.cluster_at(self.kafka_bootstrap_servers)

    @property
    def lake(self) -> str:
        """The lake's address."""
        return self.lake_uri or str(self.home / "lake")
