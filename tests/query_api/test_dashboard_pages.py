"""First run, live and rejected events, and what a share link opens: in a real browser."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect

from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED
from query_api.grants import issue
from tests.query_api.axe import violations
from tests.query_api.conftest import EMPTY, OTHER, SITE, Home, build_home, running_server

pytestmark = pytest.mark.browser


class Landing:
    """Lands events and dead letters into a home, as the worker does."""

    def __init__(self, home: Home) -> None:
        self._table = DeltaLandingTable(Lake(str(home.path / "lake")))
        self._offset = 0

    def land(self, kind: str, **values: object) -> None:
        now, place = datetime.now(UTC), ("cluster/events", 0)
        at = {"landed_at": now, "received_at": now, "occurred_at": now, "landed_date": now.date()}
        where = {"stream_id": place[0], "kafka_partition": place[1], "kafka_offset": self._offset}
        row = {**dict.fromkeys(LANDED.names), "kind": kind, **at, **where, **values}
        rows = pa.Table.from_pylist([row], schema=LANDED)
        events, letters = (rows, rows.slice(1)) if kind == EVENT else (rows.slice(1), rows)
        self._table.append(events, letters, {place: self._offset}, {place: self._offset + 1})
        self._offset += 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build_home(tmp_path_factory.mktemp("home"), days=14)


@pytest.fixture(scope="module")
def landing(home: Home) -> Landing:
    landing = Landing(home)
    landing.land(EVENT, event_id="1", site=SITE, action="pageview", url=f"https://{SITE}/docs", country="DE")
    landing.land(EVENT, event_id="2", site=SITE, action="signup", properties='{"plan":"pro"}')
    landing.land(
        DEAD_LETTER,
        site=SITE,
        reason="invalid",
        field="action",
        detail="action: is longer than 200 characters",
        body=b'{"action": "<b>x</b>"}',
        body_length=22,
        body_sha256="0" * 64,
    )
    landing.land(
        DEAD_LETTER, site=SITE, reason="undecodable", detail="no JSON", body=b"{", body_length=1, body_sha256="0" * 64
    )
    return landing


@pytest.fixture(scope="module")
def server(home: Home, landing: Landing) -> Iterator[str]:
    with running_server(home.path) as url:
        yield url


@pytest.fixture
def known(page: Page, server: str, home: Home) -> Page:
    """A page of a browser that was let in."""
    page.goto(f"{server}/?token={home.token}")
    return page


def test_the_first_event_is_seen_within_seconds(known: Page, server: str, landing: Landing) -> None:
    known.goto(f"{server}/?site={EMPTY}")
    first_run = known.locator("#first-run")
    expect(first_run).to_contain_text(f'data-site="{EMPTY}"')
    expect(first_run.get_by_role("status")).to_contain_text("Listening")
    landing.land(EVENT, event_id="first", site=EMPTY, action="pageview", url=f"https://{EMPTY}/hello", country="FR")
    expect(first_run.get_by_role("heading")).to_have_text("It works")
    expect(first_run.get_by_role("status")).to_contain_text(f"https://{EMPTY}/hello")
    expect(first_run.get_by_role("status")).to_contain_text("France")
    landing.land(
        EVENT,
        event_id="n",
        site=EMPTY,
        action="view",
        object_type="user",
        object_id="7",
        subject_type="article",
        subject_id="2",
    )
    expect(first_run.locator("dd")).to_contain_text(["user 7", "view", "article 2"])
    expect(first_run.get_by_text("Page", exact=True)).to_have_count(0)


def test_live_events_come_by_themselves_and_open_whole(known: Page, server: str, landing: Landing) -> None:
    known.goto(f"{server}/live?site={SITE}")
    events = known.locator("#events summary")
    expect(events.first).to_contain_text("signup")
    events.first.click()
    expect(known.locator("#events details").first).to_contain_text('{"plan":"pro"}')
    before = events.count()
    landing.land(EVENT, event_id="later", site=SITE, action="purchase")
    expect(events).to_have_count(before + 1)
    expect(events.first).to_contain_text("purchase")
    expect(known.locator("#events details").nth(1)).to_have_attribute("open", "")
    known.get_by_label("Site").select_option(OTHER)
    expect(known.locator("#events")).to_contain_text(f"Nothing has come from {OTHER}")
    expect(known).to_have_url(f"{server}/live?site={OTHER}")


def test_rejected_events_are_told_by_reason_with_what_came(known: Page, server: str) -> None:
    known.goto(f"{server}/rejected?site={SITE}")
    letters = known.locator("#letters details")
    expect(letters).to_have_count(2)
    known.get_by_role("button", name="invalid 1").click()
    expect(letters).to_have_count(1)
    letters.locator("summary").click()
    expect(letters).to_contain_text("action: is longer than 200 characters")
    expect(letters.locator("pre")).to_have_text('{"action": "<b>x</b>"}')


def test_a_share_link_opens_the_numbers_of_one_site_and_offers_nothing_else(
    page: Page, server: str, home: Home
) -> None:
    token, _ = issue(home.path, "shared", "share", [SITE], datetime.now(UTC), None)
    page.goto(f"{server}/?token={token}&site={SITE}")
    expect(page.locator("#numbers")).to_have_attribute("aria-busy", "false")
    expect(page.locator('[data-metric="visitors"] .tile-value')).not_to_be_empty()
    expect(page.locator("#site option")).to_have_text([SITE])
    expect(page.locator("#links")).to_be_hidden()
    for path in ("/live", "/rejected"):
        answer = page.request.get(f"{server}{path}")
        assert answer.status == 403
        assert "Open the dashboard with its link" in answer.text()


PAGES = {
    "main": f"/?site={SITE}",
    "first run": f"/?site={EMPTY}",
    "live": f"/live?site={SITE}",
    "rejected": f"/rejected?site={SITE}",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_a_phone_never_scrolls_sideways(known: Page, server: str, name: str, scheme: str) -> None:
    known.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    known.goto(server + PAGES[name])
    wait_until_drawn(known, name)
    assert violations(known) == []
    known.set_viewport_size({"width": 360, "height": 740})
    assert violations(known) == []
    assert known.evaluate("document.documentElement.scrollWidth") == 360


def wait_until_drawn(page: Page, name: str) -> None:
    if name == "main":
        expect(page.locator("#numbers")).to_have_attribute("aria-busy", "false")
        expect(page.locator('.panel[aria-busy="true"]')).to_have_count(0)
        page.get_by_role("button", name="+ Filter").click()
    elif name == "first run":
        expect(page.locator("#first-run").get_by_role("heading")).to_have_text(re.compile("Waiting|It works"))
    else:
        expect(page.locator("summary").first).to_be_visible()
        page.locator("summary").first.click()


@pytest.mark.parametrize("path", ["/", "/live", "/rejected"])
def test_without_a_token_a_page_says_how_to_get_in(server: str, path: str) -> None:
    answer = httpx.get(f"{server}{path}")
    assert answer.status_code == 401
    assert "Open the dashboard with its link" in answer.text
