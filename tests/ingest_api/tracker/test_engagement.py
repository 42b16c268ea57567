"""How long a page engages and how far it is scrolled: said when it is left, of the page that was left."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.ingest_api.tracker.conftest import nothing_waits, path_of, received, wait_until
from tests.ingest_api.tracker.serving import Line, Website

pytestmark = pytest.mark.browser

HIDE = """(state) => {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
FOCUS = """(focused) => {
  document.hasFocus = () => focused;
  dispatchEvent(new Event(focused ? 'focus' : 'blur'));
}"""


def engagements(line: Line) -> list[dict[str, Any]]:
    return [event for event in line.sent if event["action"] == "engagement"]


def open_at_noon(context: BrowserContext, url: str) -> Page:
    """A page whose time passes only when it is told to, so that a request under way may time out by it."""
    page = context.new_page()
    page.clock.install(time="2026-11-24T12:00:00Z")
    page.clock.pause_at("2026-11-24T12:00:01Z")
    page.goto(url)
    wait_until(page, lambda: nothing_waits(page))
    return page


def test_leaving_a_page_sends_one_engagement_of_that_page(context: BrowserContext, site: Website, line: Line) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/article?utm_source=x")
    wait_until(page, lambda: len(line.sent) == 1)
    page.wait_for_timeout(50)
    page.goto("about:blank")
    wait_until(page, lambda: len(line.sent) >= 2)
    page.goto(f"{site.url}/next")
    wait_until(page, lambda: any(path_of(event) == "/next" for event in line.sent))
    assert len({event["eventId"] for event in engagements(line)}) == 1
    event = engagements(line)[0]
    assert path_of(event) == "/article?utm_source=x"
    assert (event["subjectType"], event["subjectId"]) == ("page", "/article")
    assert event["properties"]["engagedMs"] >= 50
    assert event["properties"]["scrollDepth"] == 100
    stored = [(event.action, event.subject_id, event.url) for event in line.api.events()]
    assert ("engagement", "/article", f"{site.url}/article?utm_source=x") in stored


def test_in_an_app_each_page_has_its_own(context: BrowserContext, site: Website, line: Line) -> None:
    page = open_at_noon(context, f"{site.url}/one")
    page.clock.run_for(3_000)
    page.evaluate("() => history.pushState({}, '', '/two')")
    page.clock.run_for(2_000)
    page.evaluate("() => history.replaceState({}, '', '/three')")
    page.evaluate("() => history.pushState({}, '', '/four')")
    events = received(page, line, 6)
    assert [(event["action"], path_of(event)) for event in events] == [
        ("pageview", "/one"),
        ("engagement", "/one"),
        ("pageview", "/two"),
        ("engagement", "/two"),
        ("pageview", "/three"),
        ("pageview", "/four"),
    ]
    assert [event["properties"]["engagedMs"] for event in engagements(line)] == [3_000, 2_000]


def test_only_time_that_is_seen_and_focused_counts_and_the_parts_add_up(
    context: BrowserContext, site: Website, line: Line
) -> None:
    page = open_at_noon(context, site.url)
    page.clock.run_for(1_000)
    page.evaluate(FOCUS, False)
    page.clock.run_for(60_000)
    page.evaluate(FOCUS, True)
    page.clock.run_for(500)
    page.evaluate(HIDE, "hidden")
    wait_until(page, lambda: nothing_waits(page))
    page.clock.run_for(60_000)
    page.evaluate(HIDE, "visible")
    page.clock.run_for(250)
    page.evaluate(HIDE, "hidden")
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pagehide')) }")
    received(page, line, 3)
    assert [event["properties"]["engagedMs"] for event in engagements(line)] == [1_500, 250]


def test_the_depth_is_the_deepest_part_that_was_seen(context: BrowserContext, site: Website, line: Line) -> None:
    site.page += '<body style="margin: 0"><div style="height: 7200px"></div>'
    page = open_at_noon(context, site.url)
    page.evaluate("() => document.querySelector('h1').remove()")
    page.clock.run_for(100)
    page.evaluate(HIDE, "hidden")
    page.evaluate(HIDE, "visible")
    page.evaluate("() => new Promise((done) => { onscroll = done; scrollTo(0, 2880) })")
    page.evaluate("() => new Promise((done) => { onscroll = done; scrollTo(0, 0) })")
    page.clock.run_for(100)
    page.evaluate(HIDE, "hidden")
    received(page, line, 3)
    assert [event["properties"]["scrollDepth"] for event in engagements(line)] == [10, 50]


def test_a_page_that_nobody_saw_engaged_nobody(context: BrowserContext, site: Website, line: Line) -> None:
    context.add_init_script("Object.defineProperty(document, 'visibilityState', { value: 'hidden' })")
    page = open_at_noon(context, site.url)
    page.clock.run_for(5_000)
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pagehide')) }")
    received(page, line, 1)
