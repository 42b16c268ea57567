"""The collector's ASGI application on a stream in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest

from event_stream.codec import decode_event
from event_stream.event import Event
from event_stream.memory import MemoryStream, MemoryWriter
from event_stream.rejection import Rejection, decode_rejection
from event_stream.topics import EVENTS, REJECTED
from ingest_api import metrics
from ingest_api.admission import Admission
from ingest_api.client_endpoints import ClientEndpoints
from ingest_api.collector import Collector
from ingest_api.countries import Countries
from ingest_api.endpoints import Endpoints
from ingest_api.fastapi_bridge import FastApiBridge
from ingest_api.kept_rejections import KeptRejections
from ingest_api.rate_limit import RateLimits
from ingest_api.requests import RequestReader
from ingest_api.salts import Salts
from ingest_api.service import service
from ingest_api.validation import Stamper
from ingest_api.write_api import WriteApi
from sites import LiveSites
from tests.ingest_api.rsgi import RsgiTransport

NOW = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * 1_000_000
"""When each request arrives, in microseconds since 1970 UTC."""

SEED = {
    "objectId": 2,
    "objectType": "user",
    "action": "view",
    "subjectId": 2,
    "subjectType": "article",
    "datetimeStamp": 1584392223,
}
"""The payload of the project's first day."""

SITES = """
[[site]]
domain = "localhost"
write_key = "pk_localhost"
server_key = "sk_localhost"

[[site]]
domain = "example.com"
write_key = "pk_example"
server_key = "sk_example"
time_zone = "Europe/Berlin"
origins = ["https://example.org"]
"""


@dataclass
class Api:
    """Sends requests as a client at 192.0.2.7 does, and shows what reached the stream."""

    sites_file: Path
    salts: Salts
    stream: MemoryStream = field(default_factory=lambda: MemoryStream((EVENTS, REJECTED)))
    max_body_bytes: int = 1_000_000
    max_batch_events: int = 100
    kept_bytes_per_minute: int = 1_000_000
    default_site: str | None = "localhost"
    now: int = NOW
    ip: str = "192.0.2.7"

    def __post_init__(self) -> None:
        self.sites = LiveSites(self.sites_file)
        self.build()

    def build(self) -> None:
        """The application, with the bounds as they are now."""
        admission = Admission(self.sites, self.default_site)
        writer = MemoryWriter(self.stream)
        collector = Collector(
            admission,
            Stamper(self.salts, Countries(None)),
            writer,
            RateLimits(1, self.max_batch_events),
            KeptRejections(self.kept_bytes_per_minute),
        )
        requests = RequestReader(self.max_body_bytes, seconds=5, now=lambda: self.now)
        own = Endpoints(collector, requests, self.max_batch_events)
        others = ClientEndpoints(collector, requests, self.max_batch_events)
        self.app = WriteApi({**own.paths(), **others.paths()}, FastApiBridge(service(writer.healthy, _exposition)))

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = RsgiTransport(self.app, f"{self.ip}:40000")
            async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
                return await client.request(method, path, json=json, content=content, headers=headers)

        return asyncio.run(send())

    def track(self, event: Any, **headers: str) -> httpx.Response:
        """POST /track; `_` in a header's name is `-`."""
        return self.request("POST", "/track", json=event, headers=_dashed(headers))

    def batch(self, events: Any, **headers: str) -> httpx.Response:
        """POST /batch."""
        return self.request("POST", "/batch", json=events, headers=_dashed(headers))

    def events(self) -> list[Event]:
        """All accepted events."""
        return [decode_event(value) for value in self.records(EVENTS.name)]

    def event(self) -> Event:
        """The only accepted event."""
        (event,) = self.events()
        return event

    def rejections(self) -> list[Rejection]:
        """All that was rejected and kept."""
        return [decode_rejection(value) for value in self.records(REJECTED.name)]

    def declare(self, domain: str, setting: str) -> None:
        """Adds a line of TOML to a site's table."""
        line = f'domain = "{domain}"'
        self.sites_file.write_text(self.sites_file.read_text().replace(line, f"{line}\n{setting}"))
        self.sites.refresh()

    def records(self, topic: str) -> list[bytes]:
        """The values of all records of a topic."""
        return [record.value for place, log in self.stream.logs.items() if place.topic == topic for record in log]


def _exposition() -> bytes:
    metrics.count_accepted()
    return generate_latest()


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def sites_file(tmp_path: Path) -> Path:
    file = tmp_path / "sites.toml"
    file.write_text(SITES)
    return file


@pytest.fixture
def api(tmp_path: Path, sites_file: Path) -> Api:
    return Api(sites_file, Salts(tmp_path / "salts"))
