"""The settings of Dagster's processes: UI, daemon, code server and runs."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DagsterSettings(BaseSettings):
    """What the tables' project is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="LOGEKTOR_", frozen=True, hide_input_in_errors=True)

    home: Path = Field(
        Path("var"), validate_default=True, description="folder with sites.toml, and with the lake by default"
    )
    lake_uri: str | None = Field(None, description="where the tables are: a folder or s3://…; default <home>/lake")
    retention_events_days: int | None = Field(
        None,
        ge=1,
        description="days that raw events are kept after they were landed; days of them can't be made anew after that. "
        "Unset: for ever",
    )
    retention_dead_letters_days: int | None = Field(
        None, ge=1, description="days that dead letters are kept after they were landed. Unset: for ever"
    )
    upkeep_memory_mb: int = Field(
        1024,
        ge=256,
        description="MiB that compaction or vacuum may use; it fails past that, and the table stays as it was",
    )
    dead_letter_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="share of dead letters among what was landed today and yesterday (UTC), above which a check warns",
    )
    query_url: str | None = Field(
        None, description="address of the query API as a browser reaches it: tables link to their reports. `up` sets it"
    )
    alert_webhook: SecretStr | None = Field(
        None,
        description="URL that gets a POST of JSON when a run or a check fails, when tables fall behind, and when it is "
        "over. Unset: nobody is told",
    )
    backfill_days: int | None = Field(
        None,
        ge=1,
        description="days that one run of a backfill builds, where workers share it. "
        "Unset: all, as is best on one machine: a run costs seconds to start",
    )
    up_pid: int | None = Field(None, description="process id of the `logektor up` that started this; set by it alone")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("alert_webhook")
    @classmethod
    def _http(cls, webhook: SecretStr | None) -> SecretStr | None:
        if webhook is not None and not webhook.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("a webhook begins with https:// or http://")
        return webhook

    @property
    def sites_file(self) -> Path:
        """The sites, for their time zones."""
        return self.home / "sites.toml"

    @property
    def lake(self) -> str:
        """The lake's address."""
        return self.lake_uri or str(self.home / "lake")
