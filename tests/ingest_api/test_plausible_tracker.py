"""Plausible's own tracker, told nothing but another endpoint: through Kafka to the rows of the lake."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import polars as pl
import pytest

from tests.browser import chromium
from tests.conftest import RunningKafka
from tests.ingest_api.collector_process import CollectorProcess, collecting
from tests.ingest_api.landed_lake import LandedLake, landing
from tests.ingest_api.tracker.serving import Received, Reply, listening
from tests.npm import installed

pytestmark = pytest.mark.kafka

TRACKER = "0.4.6"

PAGE = """<!doctype html><title>Shop</title><p style="height: 5000px">
<script type="module">
  import { init, track } from '/plausible.js'
  init({ domain: 'localhost', endpoint: '%s/api/event', captureOnLocalhost: true, customProperties: { who: 'Zoë' } })
  const told = new Promise((done) => track('Kauf 🎉', {
    props: { plan: 'pro' }, revenue: { currency: 'EUR', amount: 9.99 }, interactive: false, callback: done
  }))
  window.answer = told.then((answer) => answer.status)
</script>"""


@pytest.fixture(scope="module")
def collector(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with collecting(tmp_path_factory.mktemp("collector"), kafka.bootstrap_servers) as running:
        yield running


@pytest.fixture(scope="module")
def lake(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LandedLake]:
    with landing(tmp_path_factory.mktemp("lake"), kafka.bootstrap_servers) as lake:
        yield lake


@pytest.fixture
def path() -> str:
    """A page that no other test views."""
    return f"/{uuid.uuid4()}"


def rows_of(lake: LandedLake, path: str, count: int) -> dict[str, dict[str, Any]]:
    """The landed rows of a page by their action, with properties as they were."""
    rows = lake.events(pl.col("url").str.contains(path, literal=True), count).to_dicts()
    assert lake.dead_letters_with(path).is_empty()
    assert len(rows) == count
    return {row["action"]: {**row, "properties": json.loads(row["properties"] or "{}")} for row in rows}


def test_the_bytes_that_the_script_sends_are_one_right_row(
    collector: CollectorProcess, lake: LandedLake, path: str
) -> None:
    url = f"https://www.example.com{path}?utm_source=mail&q=secret"
    payload = (
        f'{{"n":"pageview","v":24,"u":"{url}","d":"example.com","r":"https://example.org/?q=a","w":1440,'
        '"p":"{\\"author\\":\\"Zoë\\"}","h":0}'
    )
    answer = httpx.post(
        f"{collector.url}/api/event",
        content=payload.encode(),
        headers={"content-type": "text/plain", "origin": "https://www.example.com", "user-agent": "Firefox"},
    )
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (202, "*")
    row = rows_of(lake, path, 1)["pageview"]
    expected = {
        "site": "example.com",
        "url": f"https://www.example.com{path}?utm_source=mail",
        "referrer": "https://example.org/",
        "subject_type": "page",
        "subject_id": path,
        "object_type": "visitor",
        "object_id": row["visitor_id"],
        "user_id": None,
        "screen_width": 1440,
        "user_agent": "Firefox",
        "properties": {"author": "Zoë"},
        "occurred_at": row["received_at"],
    }
    assert {name: row[name] for name in expected} == expected
    assert row["visitor_id"]


@pytest.mark.browser
def test_the_tracker_in_a_browser_sends_view_event_and_engagement(
    collector: CollectorProcess, lake: LandedLake, path: str
) -> None:
    tracker = (
        installed("@plausible-analytics/tracker", TRACKER) / "@plausible-analytics/tracker/plausible.js"
    ).read_bytes()

    def answer(request: Received) -> Reply:
        if request.path == "/plausible.js":
            return Reply(200, {"Content-Type": "text/javascript; charset=utf-8"}, tracker)
        return Reply(200, {"Content-Type": "text/html; charset=utf-8"}, (PAGE % collector.url).encode())

    with listening(answer) as website, chromium() as browser:
        page = browser.new_page()
        page.goto(website + path)
        assert page.evaluate("window.answer") == 202, "the page may read the answer"
        user_agent = page.evaluate("navigator.userAgent")
        page.goto("about:blank")
        rows = rows_of(lake, path, 3)
    assert rows["pageview"]["subject_id"] == path
    assert rows["pageview"]["properties"] == {"who": "Zoë"}
    assert rows["Kauf 🎉"]["properties"] == {
        "who": "Zoë",
        "plan": "pro",
        "revenue": {"currency": "EUR", "amount": 9.99},
        "interactive": False,
    }
    engagement = rows["engagement"]["properties"]
    assert engagement["who"] == "Zoë"
    assert engagement["engagedMs"] >= 0
    assert 0 < engagement["scrollDepth"] < 100
    assert {(row["site"], row["url"], row["user_agent"]) for row in rows.values()} == {
        ("localhost", website + path, user_agent)
    }
    assert len({row["visitor_id"] for row in rows.values()}) == 1
