"""What becomes of events that can't be sent: kept and sent again by any tab, with their ids, until they are taken."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from ingest_api.salts import Salts
from tests.ingest_api.conftest import Api
from tests.ingest_api.tracker.conftest import console, nothing_waits, received, snippet, wait_until
from tests.ingest_api.tracker.serving import Fault, Line, Website, listening

pytestmark = pytest.mark.browser

SOON = {"Retry-After": "0"}
LATER = {"Retry-After": "3600"}
NO_STORAGE = (
    "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
)
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"


def actions(line: Line) -> list[str]:
    return [event["action"] for event in line.sent]


def waiting(page: Page) -> int:
    """How many events are in the queue of the page's web origin."""
    count: int = page.evaluate("() => Object.keys(localStorage).filter((key) => key.includes(' event ')).length")
    return count


@pytest.mark.parametrize("status", [200, 404, 429, 503])
def test_an_event_that_was_not_taken_comes_again_with_its_id(
    context: BrowserContext, site: Website, line: Line, status: int
) -> None:
    line.faults.extend([Fault(status, SOON), Fault(status, SOON)])
    page = context.new_page()
    page.goto(site.url)
    first, second, third = received(page, line, 3)
    assert first["eventId"] == second["eventId"] == third["eventId"]
    assert first["datetimeStamp"] == third["datetimeStamp"] <= first["sentAt"] <= third["sentAt"]
    assert [event.event_id for event in line.api.events() if event.action == "pageview"] == [first["eventId"]]


def test_the_wait_that_the_collector_asks_for_is_kept_by_every_tab(
    context: BrowserContext, site: Website, line: Line
) -> None:
    line.faults.append(Fault(429, {"Retry-After": "1"}))
    page, other = context.new_page(), context.new_page()
    page.goto(site.url)
    wait_until(page, lambda: len(line.posts) == 1)
    other.goto(site.url)
    wait_until(page, lambda: len(line.sent) >= 3)
    refused, *later = line.sent
    assert min(event["sentAt"] for event in later) - refused["sentAt"] >= 1_000
    assert {event["eventId"] for event in later} > {refused["eventId"]}


def test_pauses_grow_and_end_with_the_first_success(context: BrowserContext, site: Website, line: Line) -> None:
    site.page = snippet(line, "data-debug")
    line.faults.extend([Fault(503)] * 9)
    page = context.new_page()
    said = console(page)
    page.clock.install()
    page.goto(site.url)
    for failed in range(1, 10):
        wait_until(page, lambda: sum("not taken" in text for text in said) == failed)  # noqa: B023 - called at once
        page.clock.fast_forward(60_000)
    wait_until(page, lambda: nothing_waits(page))
    pauses = [int(text.split()[-2]) for text in said if "not taken" in text]
    for pause, longest in zip(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, *[60_000] * 3], strict=True):
        assert longest / 2 <= pause <= longest
    assert len({event["eventId"] for event in line.sent}) == 1


def test_a_collector_that_is_down_gets_the_events_when_it_is_back(
    context: BrowserContext, site: Website, line: Line
) -> None:
    port = 0
    with listening(line.answer) as line.url:
        port = int(line.url.rpartition(":")[2])
        site.page = snippet(line, "data-debug")
        page = context.new_page()
        said = console(page)
        page.clock.install()
        page.goto(site.url)
        wait_until(page, lambda: any("taken: {" in text for text in said))
    page.evaluate("() => logektor('while down')")
    wait_until(page, lambda: any("not taken (TypeError" in text for text in said))
    assert waiting(page) == 1
    with listening(line.answer, port):
        page.clock.fast_forward(1_000)
        wait_until(page, lambda: nothing_waits(page))
        assert actions(line) == ["pageview", "while down"]


def test_what_happens_offline_is_sent_when_the_network_is_back(
    context: BrowserContext, site: Website, line: Line
) -> None:
    page = context.new_page()
    page.clock.install()
    page.goto(site.url)
    wait_until(page, lambda: nothing_waits(page))
    context.set_offline(True)
    page.evaluate("() => { logektor('a'); logektor('b') }")
    for _ in range(4):
        page.clock.fast_forward(60_000)
        page.wait_for_timeout(20)
    assert waiting(page) == 2
    context.set_offline(False)
    wait_until(page, lambda: nothing_waits(page))
    assert actions(line) == ["pageview", "a", "b"]


def test_the_next_page_sends_what_a_closed_tab_could_not(context: BrowserContext, site: Website, line: Line) -> None:
    line.faults.extend([Fault(503, {"Retry-After": "1"}), Fault()])
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => logektor('signup')")
    wait_until(page, lambda: len(line.posts) == 1)
    page.close()
    page = context.new_page()
    page.goto(f"{site.url}/next")
    wait_until(page, lambda: nothing_waits(page))
    stored = [event.action for event in line.api.events()]
    assert sorted(stored) == ["engagement", "pageview", "pageview", "signup"]


def test_an_answer_that_was_lost_makes_no_second_event(context: BrowserContext, site: Website, line: Line) -> None:
    line.faults.append(Fault(stored=True))
    page = context.new_page()
    page.goto(site.url)
    # The browser itself may send once more where a connection breaks.
    wait_until(page, lambda: len(line.sent) >= 2 and nothing_waits(page))
    stored = [event.event_id for event in line.api.events()]
    assert len(stored) >= 2
    assert len(set(stored)) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413, 415])
def test_a_refusal_for_ever_is_said_and_not_repeated(
    context: BrowserContext, site: Website, line: Line, status: int
) -> None:
    line.faults.append(Fault(status))
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    received(page, line, 1)
    wait_until(page, lambda: any(f"logektor: refused with {status} a fault" in text for text in said))
    wait_until(page, lambda: nothing_waits(page))


@pytest.mark.parametrize(
    ("options", "refusal"),
    [('data-site="example.com"', "403"), ('data-site="localhost" data-key="nobody"', "401")],
)
def test_the_collectors_own_refusals_can_be_read(
    context: BrowserContext, site: Website, line: Line, options: str, refusal: str
) -> None:
    site.page = f'<script defer {options} src="{line.url}/logektor.js"></script>'
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    wait_until(page, lambda: any(f"logektor: refused with {refusal}" in text and "sites.toml" in text for text in said))
    wait_until(page, lambda: nothing_waits(page))
    assert line.api.events() == []


def test_one_bad_event_stops_no_other(context: BrowserContext, site: Website, line: Line) -> None:
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    page.evaluate("() => { logektor('good'); logektor(''); logektor('lone', {half: '\\ud800'}); logektor('fine') }")
    wait_until(page, lambda: nothing_waits(page) and len(line.sent) >= 5)
    assert {"good", "fine", "pageview"} <= {event.action for event in line.api.events()}
    wait_until(page, lambda: any("logektor: refused: action" in text for text in said))


def test_a_batch_that_is_too_long_is_split(context: BrowserContext, site: Website, line: Line) -> None:
    line.api = Api(line.api.sites_file, line.api.salts, max_batch_events=2)
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => { for (let n = 0; n < 9; n++) logektor('count', {n}) }")
    wait_until(page, lambda: nothing_waits(page) and len(line.api.events()) >= 10)
    counts = [json.loads(bytes(event.properties))["n"] for event in line.api.events() if event.action == "count"]
    assert sorted(counts) == list(range(9))


def test_what_happens_at_once_is_sent_together(context: BrowserContext, site: Website, line: Line) -> None:
    page = context.new_page()
    page.goto(site.url)
    wait_until(page, lambda: nothing_waits(page))
    page.evaluate("() => { for (let n = 0; n < 50; n++) logektor('count') }")
    wait_until(page, lambda: nothing_waits(page))
    assert [len(json.loads(post.body)["batch"]) for post in line.posts] == [1, 50]


def test_no_request_is_larger_than_browsers_send_for_a_page_that_goes(
    context: BrowserContext, site: Website, line: Line
) -> None:
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    page.evaluate("() => { for (let n = 0; n < 200; n++) logektor('count', {text: 'ü'.repeat(n * 5)}) }")
    page.evaluate(
        "() => { logektor('large', {text: 'x'.repeat(59000)}); logektor('too large', {text: 'x'.repeat(60000)}) }"
    )
    wait_until(page, lambda: nothing_waits(page) and "large" in actions(line))
    assert len({event["eventId"] for event in line.sent}) == 202
    assert max(len(post.body) for post in line.posts) <= 60_000
    assert said == ["logektor: more than 60 KB, not sent: too large"]


@pytest.mark.parametrize(("count", "characters"), [(1_100, 10), (40, 40_000)])
def test_the_queue_is_bounded_and_says_what_it_drops(
    context: BrowserContext, site: Website, line: Line, count: int, characters: int
) -> None:
    site.page = snippet(line, "data-debug")
    line.faults.append(Fault(503, LATER))
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    wait_until(page, lambda: any("not taken" in text for text in said))
    page.evaluate(
        "([count, length]) => { for (let n = 0; n < count; n++) logektor('count', {n, text: 'x'.repeat(length)}) }",
        [count, characters],
    )
    kept = waiting(page)
    dropped = [text for text in said if "the queue is full, dropped:" in text]
    assert kept + len(dropped) == count + 1
    assert "pageview" in dropped[0] or "pageview" in dropped[-1]
    assert kept == (1_000 if characters < 1_000 else 24)


@pytest.mark.parametrize("storage", [NO_STORAGE, "localStorage.setItem('full', 'x'.repeat(5 * 1024 * 1024 - 4))"])
def test_without_room_in_the_browser_events_wait_in_the_page(
    context: BrowserContext, site: Website, line: Line, storage: str
) -> None:
    context.add_init_script(storage)
    line.faults.extend([Fault(503, SOON), Fault(), None, Fault(503, LATER)])
    page = context.new_page()
    page.goto(site.url)
    wait_until(page, lambda: len(line.api.events()) == 1)
    page.evaluate("() => logektor('last')")
    wait_until(page, lambda: len(line.posts) == 4)
    page.goto("about:blank")
    wait_until(page, lambda: len(line.api.events()) == 3)
    assert sorted(event.action for event in line.api.events()) == ["engagement", "last", "pageview"]


def test_a_request_that_hangs_is_given_up_and_sent_again(context: BrowserContext, site: Website, line: Line) -> None:
    hanging: list[Route] = []

    def hang_once(route: Route) -> None:
        if hanging:
            route.continue_()
        hanging.append(route)

    page = context.new_page()
    page.clock.install()
    page.route("**/batch", hang_once)
    page.goto(site.url)
    wait_until(page, lambda: len(hanging) == 1)
    page.clock.fast_forward(30_000)
    page.wait_for_timeout(100)
    page.clock.fast_forward(1_000)
    received(page, line, 1)


def test_a_tab_that_hangs_does_not_stop_the_others(context: BrowserContext, site: Website, line: Line) -> None:
    hanging, page = context.new_page(), context.new_page()
    page.clock.install()
    hanging.goto(f"{site.url}/hanging")
    wait_until(hanging, lambda: nothing_waits(hanging))
    hanging.evaluate("() => { navigator.locks.request('logektor localhost ', () => new Promise(() => {})) }")
    page.goto(site.url)
    wait_until(page, lambda: waiting(page) == 1)
    page.clock.fast_forward(30_000)
    wait_until(page, lambda: nothing_waits(page))


def test_without_locks_one_tab_claims_the_queue_and_a_dead_tabs_claim_ends(
    context: BrowserContext, site: Website, line: Line
) -> None:
    context.add_init_script(NO_LOCKS)
    page, other = context.new_page(), context.new_page()
    page.goto(site.url)
    other.goto(site.url)
    page.evaluate("() => logektor('a')")
    other.evaluate("() => logektor('b')")
    wait_until(page, lambda: nothing_waits(page))
    assert sorted(actions(line)) == ["a", "b", "pageview", "pageview"]
    page.clock.install()
    page.evaluate(
        "() => { localStorage.setItem('logektor localhost sender', Date.now() + 5000 + ' dead'); logektor('c') }"
    )
    for _ in range(4):
        page.clock.fast_forward(1_000)
        page.wait_for_timeout(20)
    assert "c" not in actions(line)
    page.clock.fast_forward(2_000)
    wait_until(page, lambda: nothing_waits(page))
    assert actions(line)[-1] == "c"


def test_sites_of_one_web_origin_have_queues_of_their_own(
    context: BrowserContext, site: Website, line: Line, tmp_path: Path
) -> None:
    other = Line(Api(line.api.sites_file, Salts(tmp_path / "other"), max_batch_events=1_000))
    with listening(other.answer) as other.url:
        line.faults.append(Fault(503, LATER))
        page = context.new_page()
        page.goto(site.url)
        wait_until(page, lambda: len(line.posts) == 1)
        site.page = f'<script defer data-key="pk_localhost" src="{other.url}/logektor.js"></script>'
        page.goto(f"{site.url}/other")
        wait_until(page, lambda: len(other.api.events()) == 1)
        assert other.api.event().url == f"{site.url}/other"
