"""A thousand events of three tabs, over a line that fails at random: none is lost, and none is counted twice."""

import random

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.ingest_api.tracker.conftest import nothing_waits
from tests.ingest_api.tracker.serving import Fault, Line, Website

pytestmark = pytest.mark.browser

EVENTS = 1_000
FAULTY_REQUESTS = 100
FAULTS = (
    None,
    None,
    Fault(503, {"Retry-After": "0"}),
    Fault(503, {"Retry-After": "1"}, stored=True),
    Fault(),
    Fault(stored=True),
)


def test_of_a_thousand_events_none_is_lost_and_none_is_counted_twice(
    context: BrowserContext, site: Website, line: Line
) -> None:
    chance = random.Random(4)
    line.faults.extend(chance.choices(FAULTS, k=FAULTY_REQUESTS))
    context.clock.install()
    pages = [context.new_page() for _ in range(3)]
    for page in pages:
        page.goto(site.url)
    tracked = 0
    while tracked < EVENTS:
        burst = min(chance.randint(1, 20), EVENTS - tracked)
        page = pages[chance.randrange(len(pages))]
        page.evaluate(
            "([first, end]) => { for (let n = first; n < end; n++) logektor('count', {n}) }", [tracked, tracked + burst]
        )
        tracked += burst
        fate = chance.random()
        if fate < 0.1:
            page.reload()
        elif fate < 0.2:
            page.close()
            pages[pages.index(page)] = opened(context, site)
        elif fate < 0.9:
            context.clock.fast_forward(1_000)
    for page in pages[1:]:
        page.close()
    for _ in range(2_000):
        if nothing_waits(pages[0]):
            break
        context.clock.fast_forward(1_000)
        pages[0].wait_for_timeout(20)
    sent = [event["eventId"] for event in line.sent if event["action"] == "count"]
    stored = [(event.event_id, bytes(event.properties)) for event in line.api.events() if event.action == "count"]
    distinct = {event_id for event_id, _ in stored}
    print(
        f"tracked {tracked}, sent {len(sent)}, stored {len(stored)}, distinct {len(distinct)}, "
        f"lost {EVENTS - len(distinct)}, requests {len(line.posts)}"
    )
    assert nothing_waits(pages[0])
    assert len(distinct) == EVENTS
    # One id is one event: no event was given a second id, and no id a second event.
    assert len(set(stored)) == EVENTS
    assert {properties for _, properties in stored} == {b'{"n":%d}' % number for number in range(EVENTS)}
    assert len(stored) > EVENTS


def opened(context: BrowserContext, site: Website) -> Page:
    page = context.new_page()
    page.goto(site.url)
    return page
