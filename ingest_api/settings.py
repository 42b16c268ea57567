"""The collector's settings."""

import os
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_settings import KafkaSettings, TopicSettings
from ingest_api.client_address import Network, read_networks


class CollectorSettings(KafkaSettings, TopicSettings):
    """What the collector is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    home: Path = Field(
        Path("var"), validate_default=True, description="folder of what the collector keeps: sites.toml, salts/, spool/"
    )
    collector_host: str = Field("127.0.0.1", description="address that the collector listens on")
    collector_port: int = Field(8080, ge=1, le=65535, description="port that the collector listens on")
    collector_workers: int = Field(
        1, ge=1, description="processes that take requests; one uses about one core and is enough for most"
    )
    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", description="the Kafka cluster, host:port,…")
    tracker_path: str = Field(
        "/logektor.js",
        pattern=r"^/[\w.~/-]+\.js$",
        description="path that the script for websites is served at besides /logektor.js, which blockers know; it "
        "begins with / and ends with .js",
    )
    default_site: str | None = Field(
        None, description="site of events that name none and come with neither key nor Origin; unset: they are refused"
    )
    trusted_proxies: str | None = Field(
        None,
        description="addresses and networks (10.0.0.0/8), separated by commas, of the proxies whose X-Forwarded-For is "
        "believed; unset: the client is whoever connects",
    )
    country_file: Path | None = Field(
        None,
        description="MaxMind DB file (.mmdb) by which an event gets its country; a new file in its place is soon used; "
        "unset: no event has a country",
    )
    max_body_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, description="largest body of a request in bytes; a larger one is answered 413"
    )
    max_requests: int = Field(
        2_048,
        ge=16,
        description="most connections, each with at most one request under way, of one process; more wait to be "
        "accepted. One that says nothing for 5 seconds is closed",
    )
    body_seconds: float = Field(
        15.0, gt=0, description="how long the body of a request may take to arrive before it is answered 408"
    )
    max_batch_events: int = Field(1_000, ge=1, description="most events of a batch; more are answered 413")
    kept_rejected_bytes: int = Field(
        8 * 1024 * 1024,
        ge=0,
        description="how many bytes of a site's rejected events one process keeps a minute; past it they are answered "
        "and counted only",
    )
    delivery_seconds: float = Field(
        3.0,
        gt=0,
        description="how long Kafka may take to acknowledge a request's events before they go to the disk spool, in "
        "seconds",
    )
    queue_records: int = Field(
        20_000, ge=1, description="most events that wait for Kafka in one process; past it, they go to the disk spool"
    )
    queue_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="most bytes that wait for Kafka in one process; past it, as above"
    )
    spool_bytes: int = Field(
        1024**3,
        ge=0,
        description="most bytes that the collectors of a home keep on disk together while Kafka does not take their "
        "events; past it, requests are answered 503; 0: nothing is kept on disk",
    )
    stop_seconds: float = Field(
        8.0, gt=0, description="how long the collector may take to finish what it accepted when it is asked to stop"
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: str | None) -> str | None:
        read_networks(proxies or "")
        return proxies

    @property
    def metrics_folder(self) -> Path:
        """What the worker processes of this collector count: in memory, as a full disk would kill who maps a file."""
        memory = Path("/dev/shm")  # noqa: S108 - of our own, and of no use to others
        folder = memory if memory.is_dir() else self.home
        return folder / f"logektor-collector-{os.getuid()}-{self.collector_port}"

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """The proxies that may say whose request they pass on."""
        return read_networks(self.trusted_proxies or "")

    @property
    def kafka(self) -> KafkaCluster:
        """The cluster that events are written to."""
        return self.cluster_at(self.kafka_bootstrap_servers)

    @property
    def sites_file(self) -> Path:
        """The sites that may send events."""
        return self.home / "sites.toml"

    @property
    def spool_folder(self) -> Path:
        """What was accepted while Kafka was away."""
        return self.home / "spool"

    @property
    def salts_folder(self) -> Path:
        """The salts of the last days."""
        return self.home / "salts"
