"""A website, the collector on another web origin, and a Chromium to visit them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ingest_api.salts import Salts
from tests.browser import chromium
from tests.ingest_api.conftest import Api
from tests.ingest_api.tracker.serving import STUB, Line, Website, listening


def snippet(line: Line, more: str = "") -> str:
    """What a website puts into its pages."""
    return f'<script defer data-site="localhost" {more} src="{line.url}/logektor.js"></script>'


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Waits at most 40 s; the page lives on meanwhile."""
    for _ in range(2_000):
        if condition():
            return
        page.wait_for_timeout(20)
    pytest.fail("the condition was not met within 40 s")


def received(page: Page, line: Line, count: int) -> list[dict[str, Any]]:
    """The events once so many have been sent; whatever else the page would send comes before the marker after them."""
    wait_until(page, lambda: len(line.sent) >= count)
    page.evaluate("() => logektor('marker')")
    wait_until(page, lambda: any(event["action"] == "marker" for event in line.sent))
    events = [event for event in line.sent if event["action"] != "marker"]
    assert len(events) == count, [
        (event["eventId"], event["action"], event["url"], event.get("properties")) for event in events
    ]
    return events


def nothing_waits(page: Page) -> bool:
    """Whether the queue of the page's web origin is empty."""
    return bool(page.evaluate("() => Object.keys(localStorage).length === 0"))


def path_of(event: dict[str, Any]) -> str:
    """Path and query of the event's address."""
    return "/" + str(event["url"]).split("/", 3)[3]


def console(page: Page) -> list[str]:
    """What the page says in its console from now on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    return said


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, screen={"width": 1440, "height": 900})
    try:
        yield context
    finally:
        context.close()


@pytest.fixture
def line(sites_file: Path, tmp_path: Path) -> Iterator[Line]:
    line = Line(Api(sites_file, Salts(tmp_path / "salts"), max_batch_events=1_000))
    with listening(line.answer) as line.url:
        yield line


@pytest.fixture
def site(line: Line) -> Iterator[Website]:
    site = Website(page=f"<title>Shop</title>{STUB}{snippet(line)}<h1>Hello</h1>")
    with listening(site.answer) as site.url:
        yield site
