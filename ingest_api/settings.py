"""The collector's settings."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class CollectorSettings(BaseSettings):
    """What the collector is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    home: Path = Field(
        Path("var"), validate_default=True, description="folder of what the collector keeps: sites.toml, salts/"
    )
    collector_host: str = Field("127.0.0.1", description="address that the collector listens on")
    collector_port: int = Field(8080, ge=1, le=65535, description="port that the collector listens on")
    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", description="the Kafka cluster, host:port,…")
    default_site: str | None = Field(
        None, description="site of events that name none and come with neither key nor Origin; unset: they are refused"
    )
    max_body_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, description="largest body of a request in bytes; a larger one is answered 413"
    )
    max_batch_events: int = Field(1_000, ge=1, description="most events of a batch; more are answered 413")
    delivery_seconds: float = Field(
        5.0, gt=0, description="how long Kafka may take to acknowledge a request's events before it is answered 503"
    )
    queue_records: int = Field(
        20_000, ge=1, description="most events that wait for Kafka in one process; past it, requests are answered 503"
    )
    queue_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="most bytes that wait for Kafka in one process; past it, as above"
    )
    stop_seconds: float = Field(
        8.0, gt=0, description="how long the collector may take to finish what it accepted when it is asked to stop"
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @property
    def sites_file(self) -> Path:
        """The sites that may send events."""
        return self.home / "sites.toml"

    @property
    def salts_folder(self) -> Path:
        """The salts of the last days."""
        return self.home / "salts"
