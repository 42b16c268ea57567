"""The settings of the query API's process."""

from pathlib import Path

from pydantic import Field, HttpUrl, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class QuerySettings(BaseSettings):
    """What the query API is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True)

    home: Path = Field(
        Path("var"),
        validate_default=True,
        description="folder with sites.toml and read_token, and with the lake by default",
    )
    lake_uri: str | None = Field(None, description="where the tables are: a folder or s3://…; default <home>/lake")
    query_host: str = Field("127.0.0.1", description="address that the query API and the dashboard listen on")
    query_port: int = Field(8000, ge=1, le=65535, description="port of the query API and the dashboard")
    collector_url: HttpUrl = Field(
        HttpUrl("http://127.0.0.1:8080"),
        description="the collector's address as websites reach it; it stands in the snippet",
    )
    query_default_rows: int = Field(1_000, ge=1, description="rows of a page of JSON where the request names no limit")
    query_max_rows: int = Field(100_000, ge=1, description="rows of an answer at most; a request for more gets a 400")
    query_seconds: float = Field(
        20.0, gt=0, description="seconds a query may wait and take; then the request gets a 503"
    )
    query_threads: int = Field(
        4, ge=1, description="queries of rows at the same time; statistics are answered one by one"
    )
    query_waiting: int = Field(64, ge=0, description="queries that may wait for a turn; beyond them requests get a 503")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @property
    def sites_file(self) -> Path:
        """The sites that reports can be read of."""
        return self.home / "sites.toml"

    @property
    def lake(self) -> str:
        """The lake's address."""
        return self.lake_uri or str(self.home / "lake")
