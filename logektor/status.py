"""`logektor status`: what runs on a home, how far each part is, and where to look."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Group, RenderableType

from event_stream.kafka_cluster import KafkaCluster
from lake.catalogue import Catalogue
from lake.location import Lake
from lake.raw import count_landed
from logektor.errors import NotRunning
from logektor.not_landed import wait_until_landed
from logektor.running import Running, is_running, read_running
from logektor.screens import parts_table, whole
from logektor.settings import StackSettings
from logektor.supervisor import State
from query_api.tokens import read_token


@dataclass(frozen=True)
class Status:
    """The stack at one moment. `lag` is in records, None where Kafka does not answer; instants are ISO 8601, UTC."""

    home: str
    running: Running
    read_token: str
    lag: int | None
    rows: dict[str, int]
    last_refresh: str | None

    @property
    def healthy(self) -> bool:
        """Whether every part is well."""
        return all(part.state == State.HEALTHY for part in self.running.parts)

    def as_json(self) -> str:
        """The same for programs."""
        said = {
            "home": self.home,
            "healthy": self.healthy,
            "urls": self.running.urls | {"kafka": self.running.kafka},
            "read_token": self.read_token,
            "health": {part.name: part.state for part in self.running.parts},
            "restarts": {part.name: part.restarts for part in self.running.parts},
            "lag": self.lag,
            "rows": self.rows,
            "last_refresh": self.last_refresh,
        }
        return json.dumps(said, indent=2)


def look(settings: StackSettings) -> Status:
    """Looks at everything once. Raises NotRunning."""
    running = read_running(settings.home)
    if running is None or not is_running(settings.home):
        raise NotRunning(f"No Logektor runs on {settings.home}: start it with `logektor up`, or say which with --home.")
    lake = Lake(running.lake)
    refreshed = [entry.refreshed_at for entry in Catalogue(lake).entries()]
    return Status(
        home=str(settings.home),
        running=running,
        read_token=read_token(settings.home),
        lag=lag(settings.cluster_at(running.kafka), lake),
        rows=count_landed(lake),
        last_refresh=max(refreshed).isoformat() if refreshed else None,
    )


def lag(cluster: KafkaCluster, lake: Lake) -> int | None:
    """Records that are in Kafka and not landed yet."""
    return wait_until_landed(cluster, lake, seconds=0)


def status_screen(status: Status, now: datetime) -> RenderableType:
    """The same for a person."""
    landed = ", ".join(f"{count:,} {kind.replace('_', ' ')}s" for kind, count in status.rows.items())
    return Group(
        parts_table(status.running),
        "",
        whole(f"Home       {status.home}"),
        whole(f"Dashboard  {status.running.urls['dashboard']}?token={status.read_token}"),
        whole(f"Dagster    {status.running.urls['dagster']}"),
        f"Lag        {'Kafka does not answer' if status.lag is None else f'{status.lag:,} records'}",
        f"Landed     {landed}",
        f"Reports    {_refreshed(status.last_refresh, now)}",
    )


def _refreshed(instant: str | None, now: datetime) -> str:
    if instant is None:
        return "not built yet"
    seconds = (now - datetime.fromisoformat(instant).astimezone(UTC)).total_seconds()
    return f"refreshed {seconds:.0f} s ago ({instant})"
