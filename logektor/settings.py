"""The settings of the one-machine stack; command-line options win over the environment."""

from pathlib import Path

from pydantic import Field, HttpUrl, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_settings import KafkaSettings, TopicSettings


class StackSettings(KafkaSettings, TopicSettings):
    """What `logektor` is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    home: Path = Field(
        Path("var"),
        validate_default=True,
        description="folder of everything that is kept: sites.toml, kafka/, lake/, logs/ …",
    )
    host: str = Field("127.0.0.1", description="address that collector, query API and Dagster UI listen on")
    collector_port: int = Field(8080, ge=1, le=65535, description="port of the collector")
    collector_url: HttpUrl | None = Field(
        None, description="the collector's address as websites reach it, for the snippet; unset: that of this machine"
    )
    query_port: int = Field(8000, ge=1, le=65535, description="port of the query API and the dashboard")
    dagster_port: int = Field(3000, ge=1, le=65535, description="port of the Dagster UI")
    kafka_port: int = Field(9092, ge=1, le=65535, description="port of the embedded Kafka, on 127.0.0.1 only")
    kafka_bootstrap_servers: str | None = Field(
        None,
        validate_default=True,
        description="a Kafka cluster to use, host:port,…; the embedded Kafka is not started then",
    )
    lake_uri: str | None = Field(None, description="where the tables are: a folder or s3://…; default <home>/lake")
    kafka_cache: Path = Field(
        Path("~/.cache/logektor/kafka"), description="where Apache Kafka's jars are kept; all homes share them"
    )
    default_site: str = Field("localhost", description="site of events that name none and come with no key")

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _plain_if_embedded(cls, servers: str | None, info: ValidationInfo) -> str | None:
        if servers is None and info.data.get("kafka_security_protocol") not in {"PLAINTEXT", None}:
            raise PydanticCustomError(
                "kafka", "is needed with LOGEKTOR_KAFKA_SECURITY_PROTOCOL: the embedded Kafka speaks PLAINTEXT"
            )
        return servers

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        # The parts run with it too, wherever they are started.
        return home.expanduser().absolute()

    @property
    def sites_file(self) -> Path:
        """The sites that may send events."""
        return self.home / "sites.toml"

    @property
    def lake(self) -> str:
        """The lake's address."""
        return self.lake_uri or str(self.home / "lake")

    @property
    def bootstrap_servers(self) -> str:
        """The Kafka in use: the given one or the embedded one."""
        return self.kafka_bootstrap_servers or f"127.0.0.1:{self.kafka_port}"

    @property
    def kafka(self) -> KafkaCluster:
        """The same, as these settings know it."""
        return self.cluster_at(self.bootstrap_servers)

    @property
    def reachable_host(self) -> str:
        """The host to put into URLs; an address that means `all of them` is reached as 127.0.0.1."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound

    @property
    def collector_for_websites(self) -> str:
        """The collector's address as the snippet names it."""
        return str(self.collector_url).rstrip("/") if self.collector_url else self.collector_here

    @property
    def collector_here(self) -> str:
        """Where the collector of this machine is."""
        return f"http://{self.reachable_host}:{self.collector_port}"

    @property
    def query_url(self) -> str:
        """Where reports and the dashboard are."""
        return f"http://{self.reachable_host}:{self.query_port}"

    @property
    def dagster_url(self) -> str:
        """Where the Dagster UI is."""
        return f"http://{self.reachable_host}:{self.dagster_port}"
