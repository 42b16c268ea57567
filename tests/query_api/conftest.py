"""A home with real report tables, the app on it, and the real server."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_spec import TableSpec
from logektor.embedded_kafka import free_port
from pipelines.reports.actions import ACTIONS
from pipelines.reports.pages import PAGES
from pipelines.reports.sources import SOURCES
from pipelines.reports.traffic import TRAFFIC
from query_api.app import create_app
from query_api.settings import QuerySettings
from query_api.tokens import read_token
from sites import register_site
from tests.browser import chromium
from tests.written_day import write_day

SITE, OTHER, EMPTY = "example.com", "semicomplete.com", "new.example.org"
TODAY = datetime.now(UTC).date()
"""The browser's clock is the real one, so the tables' last day is too."""

DAYS = [TODAY - timedelta(days=ago) for ago in range(39, -1, -1)]
OLD_DAYS = [date(2015, 5, 17) + timedelta(days=day) for day in range(4)]


@dataclass(frozen=True)
class Home:
    """A home whose tables hold `frames`."""

    path: Path
    token: str
    frames: Mapping[str, pl.DataFrame]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def settings(self, **changes: object) -> QuerySettings:
        return QuerySettings.model_validate({"home": self.path, **changes})

    def replace(self, spec: TableSpec, day: date, rows: pl.DataFrame, revision: int) -> None:
        write_day(ReportTable(Lake(str(self.path / "lake")), spec), day, rows, revision)


def traffic_rows() -> Iterator[tuple[object, ...]]:
    for number, day in enumerate(DAYS):
        visits = 110 + number
        yield SITE, day, 100 + number, visits, 3 * visits, 4 * visits, visits // 3, 90 * visits, 7, 21, 30, 50, 75.5
    for number, day in enumerate(OLD_DAYS):
        yield OTHER, day, 300 + number, 330, 700, 1_200, 150, 21_000, 40, 300, 500, 0, 0.0


def page_rows() -> Iterator[tuple[object, ...]]:
    for site, day in [(SITE, day) for day in DAYS] + [(OTHER, day) for day in OLD_DAYS]:
        for rank in range(1, 16):
            counts = [count // rank for count in (60, 90, 30, 20, 10, 80)]
            yield site, day, f"/page/{rank}", *counts, 12.5, 900, 20


def source_rows() -> Iterator[tuple[object, ...]]:
    for site, day in [(SITE, day) for day in DAYS] + [(OTHER, day) for day in OLD_DAYS]:
        yield site, day, "Google", "Organic Search", 50, 55, 120, 20, 4_000, 1_500.25
        yield site, day, "Direct / None", "Direct", 30, 33, 60, 15, 2_000, 0.0


def action_rows() -> Iterator[tuple[object, ...]]:
    for site, day in [(SITE, day) for day in DAYS] + [(OTHER, day) for day in OLD_DAYS]:
        yield site, day, "visitor", "pageview", "page", 330, 100, 100, 15
        yield site, day, "user", "view", "article", 40, 20, 20, 9
        yield site, day, "visitor", "=cmd|' /C calc'!A0", "", 1, 1, 1, 0


TABLES: tuple[tuple[TableSpec, Callable[[], Iterator[tuple[object, ...]]]], ...] = (
    (TRAFFIC.spec, traffic_rows),
    (PAGES.spec, page_rows),
    (SOURCES.spec, source_rows),
    (ACTIONS.spec, action_rows),
)


def build_home(path: Path, days: int = len(DAYS)) -> Home:
    """Sites and tables of the last `days` days, and of the old ones."""
    register_site(path / "sites.toml", SITE, "Europe/Berlin")
    register_site(path / "sites.toml", OTHER)
    register_site(path / "sites.toml", EMPTY)
    frames = {}
    for spec, rows in TABLES:
        frame = pl.DataFrame(list(rows()), schema=dict(spec.schema), orient="row")
        frame = frame.filter(pl.col("date").is_in([*OLD_DAYS, *DAYS[-days:]]))
        table = ReportTable(Lake(str(path / "lake")), spec)
        table.declare()
        for (day,), of_day in frame.group_by("date"):
            assert isinstance(day, date)
            write_day(table, day, of_day)
        frames[spec.name] = frame
    return Home(path, read_token(path), frames)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Shared: read it only."""
    return build_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def own_home(tmp_path: Path) -> Home:
    """A small one, to write to."""
    return build_home(tmp_path / "home", days=1)


@dataclass(frozen=True)
class Client:
    """Asks the app over HTTP, without a socket."""

    app: FastAPI
    headers: Mapping[str, str]

    def request(self, method: str, path: str, **words: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test:8000") as client:
                return await client.request(method, path, **words)

        words["headers"] = {**self.headers, **words.get("headers", {})}
        return asyncio.run(ask())

    def get(self, path: str, **words: Any) -> httpx.Response:
        return self.request("GET", path, **words)

    def rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a report, which must be answered."""
        answer = self.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows


@pytest.fixture(scope="module")
def client(home: Home) -> Client:
    """The app, asked with the token."""
    return Client(create_app(home.settings()), home.bearer)


@contextmanager
def running_server(path: Path) -> Iterator[str]:
    """The real server of a home, `python -m query_api`, on a free port; answers its address."""
    port = free_port()
    environment = {**os.environ, "LOGEKTOR_HOME": str(path), "LOGEKTOR_QUERY_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "query_api"], env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not is_ready(url):
            assert process.poll() is None, "the query API has stopped"
            assert time.monotonic() < deadline, "the query API is not ready within a minute"
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        assert process.wait(20) == 0


def is_ready(url: str) -> bool:
    """Whether the server answers and the lake can be read."""
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def server(home: Home) -> Iterator[str]:
    """The address of the real server on the shared home."""
    with running_server(home.path) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not of the session: while Playwright runs, no other test of this process could run an event loop."""
    expect.set_options(timeout=30_000)
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What one person's browser remembers; its clock is far from the sites' zones."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="Pacific/Auckland")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that may say nothing in the console and load nothing from elsewhere."""
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    yield page
    assert complaints == []
    assert hosts == {urlsplit(page.url).netloc}
