"""Clicks that lead elsewhere: counted whichever button they are made with, and never in their way."""

from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext

from tests.ingest_api.tracker.conftest import received, snippet, wait_until
from tests.ingest_api.tracker.serving import Line, Website, listening

pytestmark = pytest.mark.browser

LINKS = """
    <a id="out" href="https://elsewhere.example/a%20b?token=secret#part"><b>elsewhere</b></a>
    <a id="file" href="/files/Report.PDF?version=2">a report</a>
    <a id="far-file" href="https://elsewhere.example/all.tar.gz">an archive</a>
    <a id="in" href="/other.html">inside</a>
    <a id="mail" href="mailto:ann@example.com">mail</a>
    <a id="name">no link</a>
    <div id="host"></div>
    <script>
      addEventListener('click', (click) => click.preventDefault());
      addEventListener('auxclick', (click) => click.preventDefault());
      document.querySelector('#file').addEventListener('click', (click) => {
        click.stopPropagation();
        click.preventDefault();
      });
      host.attachShadow({mode: 'open'}).innerHTML = '<a id="shadow" href="https://shadow.example/">in a component</a>';
    </script>"""


def click_of(event: dict[str, Any]) -> tuple[str, str, str]:
    return event["action"], event["subjectType"], event["subjectId"]


OUT = ("outbound_link", "link", "https://elsewhere.example/a%20b")


@pytest.mark.parametrize(("button", "modifiers"), [("left", []), ("middle", []), ("left", ["Control", "Shift"])])
def test_a_link_to_another_host_is_counted_without_its_query(
    context: BrowserContext,
    site: Website,
    line: Line,
    button: Literal["left", "middle"],
    modifiers: list[Literal["Control", "Shift"]],
) -> None:
    site.page += LINKS
    page = context.new_page()
    page.goto(site.url)
    page.click("#out b", button=button, modifiers=modifiers)
    _, click = received(page, line, 2)
    assert click_of(click) == OUT
    assert click["url"] == f"{site.url}/"


def test_downloads_are_told_by_their_extension_and_counted_once(
    context: BrowserContext, site: Website, line: Line
) -> None:
    site.page += LINKS
    page = context.new_page()
    page.goto(site.url)
    page.click("#far-file")
    page.evaluate("() => document.querySelector('#file').click()")
    _, far, near = received(page, line, 3)
    assert click_of(far) == ("download", "file", "https://elsewhere.example/all.tar.gz")
    assert click_of(near) == ("download", "file", f"{site.url}/files/Report.PDF")
    stored = {(event.action, event.subject_type, event.subject_id) for event in line.api.events()}
    assert click_of(near) in stored


def test_a_link_in_a_component_is_seen(context: BrowserContext, site: Website, line: Line) -> None:
    site.page += LINKS
    page = context.new_page()
    page.goto(site.url)
    page.click("#shadow")
    _, click = received(page, line, 2)
    assert click_of(click) == ("outbound_link", "link", "https://shadow.example/")


def test_other_clicks_are_not_counted(context: BrowserContext, site: Website, line: Line) -> None:
    site.page += LINKS
    page = context.new_page()
    page.goto(site.url)
    page.click("#out", button="right")
    for link in ("#in", "#mail", "#name", "h1"):
        page.click(link)
    received(page, line, 1)


def test_a_click_arrives_though_the_page_is_left_at_once(context: BrowserContext, site: Website, line: Line) -> None:
    with listening(Website(page="elsewhere").answer) as elsewhere:
        site.page = f'{snippet(line)}<a href="{elsewhere}/there">go</a>'
        page = context.new_page()
        page.goto(site.url)
        page.click("a")
        page.wait_for_url(f"{elsewhere}/there")
        wait_until(page, lambda: {"outbound_link", "engagement"} <= {event["action"] for event in line.sent})
    click = next(event for event in line.sent if event["action"] == "outbound_link")
    assert click["subjectId"] == f"{elsewhere}/there"
