"""The website's script in a real Chromium: what it sends, when, and what it never does."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser import chromium

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[2] / "ingest_api/tracker/logektor.js"
STUB = """<script>
  window.logektor = window.logektor || function () { (logektor.q = logektor.q || []).push(arguments) }
</script>"""


@dataclass
class Server:
    """Pages, the script, and a POST /track that remembers; `trouble` holds answers for the next events."""

    url: str = ""
    page: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    trouble: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to a request."""
        self.requests.append((method, path, headers))
        if path == "/logektor.js":
            return 200, {"Content-Type": "text/javascript"}, SCRIPT.read_bytes()
        if path.startswith("/track"):
            self.received.append(json.loads(body))
            status, more = self.trouble.popleft() if self.trouble else (202, {})
            cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
            return status, {**cors, **more}, b"{}"
        return 200, {"Content-Type": "text/html; charset=utf-8"}, f"<!doctype html>{self.page}".encode()


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of 127.0.0.1: two of them are two web origins."""
    served = Server()

    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply()

        def do_OPTIONS(self) -> None:
            self.reply()

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers, content = served.answer(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


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
def collector() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def site(collector: Server) -> Iterator[Server]:
    """The website; its pages load the script from the collector, which is another web origin."""
    with serving() as running:
        running.page = f"<title>Shop</title>{STUB}{snippet(collector)}<h1>Hello</h1>"
        yield running


def snippet(collector: Server, more: str = "") -> str:
    return f'<script defer data-site="example.com" {more} src="{collector.url}/logektor.js"></script>'


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Waits at most 10 s; the page lives on meanwhile."""
    for _ in range(400):
        if condition():
            return
        page.wait_for_timeout(25)
    pytest.fail("the condition was not met within 10 s")


def received(page: Page, collector: Server, count: int) -> list[dict[str, Any]]:
    """The events once so many have come; what else the page would send comes before the marker that follows them."""
    wait_until(page, lambda: len(collector.received) >= count)
    page.evaluate("() => logektor('marker')")
    wait_until(page, lambda: any(event["action"] == "marker" for event in collector.received))
    events = [event for event in collector.received if event["action"] != "marker"]
    assert len(events) == count, events
    return sorted(events, key=lambda event: int(event["datetimeStamp"]))


def path_of(event: dict[str, Any]) -> str:
    return "/" + str(event["url"]).split("/", 3)[3]


def test_a_page_with_the_snippet_sends_one_page_view(context: BrowserContext, site: Server, collector: Server) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/blog?utm_source=x#part", referer="http://from.example/")
    (event,) = received(page, collector, 1)
    assert len(event.pop("eventId")) == 36
    assert abs(event.pop("datetimeStamp") - event.pop("sentAt")) < 5_000
    assert event == {
        "site": "example.com",
        "action": "pageview",
        "url": f"{site.url}/blog?utm_source=x",
        "referrer": "http://from.example/",
        "title": "Shop",
        "language": "en-US",
        "screenWidth": 1440,
    }


def test_an_event_is_text_and_needs_no_preflight_and_no_cookie(
    context: BrowserContext, site: Server, collector: Server
) -> None:
    page = context.new_page()
    page.goto(site.url)
    received(page, collector, 1)
    assert {method for method, _, _ in collector.requests} == {"GET", "POST"}
    path, headers = next((path, headers) for method, path, headers in collector.requests if method == "POST")
    assert path == "/track"
    assert headers["Content-Type"] == "text/plain;charset=UTF-8"
    assert headers["Origin"] == site.url
    assert not any("Cookie" in headers for _, _, headers in collector.requests)
    assert context.cookies() == []
    assert page.evaluate("() => localStorage.length + sessionStorage.length") == 0


def test_key_and_collector_can_be_named(context: BrowserContext, site: Server, collector: Server) -> None:
    with serving() as elsewhere:
        site.page = snippet(elsewhere, f'data-key="pk a" data-api="{collector.url}/"')
        page = context.new_page()
        page.goto(site.url)
        received(page, collector, 1)
        assert elsewhere.received == []
    assert collector.requests[0][1] == "/track?key=pk%20a"


def test_calls_before_the_script_is_there_are_sent_after_the_page_view(
    context: BrowserContext, site: Server, collector: Server
) -> None:
    site.page = f"{STUB}<script>logektor('signup', {{plan: 'pro'}}); window.kept = logektor</script>" + snippet(
        collector
    )
    page = context.new_page()
    page.goto(site.url)
    wait_until(page, lambda: len(collector.received) == 2)
    page.evaluate("() => kept('later')")
    wait_until(page, lambda: len(collector.received) == 3)
    signup = next(event for event in collector.received if event["action"] == "signup")
    assert signup["properties"] == {"plan": "pro"}
    assert sorted(event["action"] for event in collector.received) == ["later", "pageview", "signup"]
    assert len({event["eventId"] for event in collector.received}) == 3


def test_a_single_page_app_is_counted_page_by_page(context: BrowserContext, site: Server, collector: Server) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/start")
    steps = [
        ("history.pushState({}, '', '/cart')", 2),
        ("history.pushState({}, '', '/cart')", 2),
        ("history.pushState({}, '', '/cart#total')", 2),
        ("location.hash = 'other'", 2),
        ("history.replaceState({}, '', '/cart?sort=price')", 2),
        ("history.pushState({}, '', '/cart?page=2')", 3),
        ("history.replaceState({}, '', '/done')", 4),
        ("history.back()", 5),
    ]
    for step, page_views in steps:
        page.evaluate(f"() => {{ {step} }}")
        wait_until(page, lambda: len(collector.received) == page_views)  # noqa: B023 - called at once
    events = received(page, collector, 5)
    assert [path_of(event) for event in events] == ["/start", "/cart", "/cart?page=2", "/done", "/cart?sort=price"]
    assert "referrer" not in events[0]
    assert [path_of({"url": event["referrer"]}) for event in events[1:]] == [
        "/start",
        "/cart?sort=price",
        "/cart?page=2",
        "/done",
    ]


def test_the_title_of_the_page_before_is_not_sent_for_the_next_one(
    context: BrowserContext, site: Server, collector: Server
) -> None:
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => { history.pushState({}, '', '/cart'); document.title = 'Cart'; logektor('buy') }")
    events = {event["action"] + path_of(event): event for event in received(page, collector, 3)}
    assert events["pageview/"]["title"] == "Shop"
    assert "title" not in events["pageview/cart"]
    assert events["buy/cart"]["title"] == "Cart"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_event_that_was_not_taken_comes_again_with_its_id(
    context: BrowserContext, site: Server, collector: Server, status: int
) -> None:
    collector.trouble.extend([(status, {"Retry-After": "1"}), (status, {})])
    page = context.new_page()
    page.goto(site.url)
    wait_until(page, lambda: len(collector.received) == 3)
    first, second, third = collector.received
    assert first["eventId"] == second["eventId"] == third["eventId"]
    assert first["datetimeStamp"] == third["datetimeStamp"]
    assert second["sentAt"] - first["sentAt"] >= 1_000
    received(page, collector, 3)


def test_an_event_waits_for_a_collector_that_cannot_be_reached(
    context: BrowserContext, site: Server, collector: Server
) -> None:
    page = context.new_page()
    aborted: list[Route] = []

    def abort(route: Route) -> None:
        route.abort()
        aborted.append(route)

    page.route("**/track", abort)
    page.goto(site.url)
    wait_until(page, lambda: len(aborted) == 1)
    page.unroute("**/track")
    (event,) = received(page, collector, 1)
    assert event["sentAt"] > event["datetimeStamp"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_said_and_not_repeated(
    context: BrowserContext, site: Server, collector: Server, status: int
) -> None:
    collector.trouble.append((status, {}))
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site.url)
    received(page, collector, 1)
    wait_until(page, lambda: any(f"logektor: refused with {status}" in text for text in said))


def test_nothing_is_sent_by_who_ignores_themselves(context: BrowserContext, site: Server, collector: Server) -> None:
    site.page = snippet(collector, "data-debug")
    context.add_init_script("localStorage.setItem('logektor_ignore', 'true')")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site.url)
    page.evaluate("() => { logektor('signup'); history.pushState({}, '', '/cart') }")
    page.evaluate("() => localStorage.removeItem('logektor_ignore')")
    assert received(page, collector, 0) == []
    assert sum("ignored" in text for text in said) == 3


def test_blocked_storage_does_not_stop_the_script(context: BrowserContext, site: Server, collector: Server) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    page = context.new_page()
    page.goto(site.url)
    received(page, collector, 1)


def test_a_prerendered_page_counts_when_it_is_shown(context: BrowserContext, site: Server, collector: Server) -> None:
    context.add_init_script(
        "Object.defineProperty(Document.prototype, 'prerendering', { value: true, writable: true })"
    )
    site.page = snippet(collector)
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => logektor('early')")
    page.evaluate("(url) => fetch(url, { mode: 'no-cors' })", f"{collector.url}/what-was-sent-came-before-this")
    assert collector.received == []
    page.evaluate("() => { document.dispatchEvent(new Event('prerenderingchange')) }")
    events = received(page, collector, 2)
    assert {event["action"] for event in events} == {"pageview", "early"}


def test_a_page_restored_from_the_browsers_cache_counts_again(
    context: BrowserContext, site: Server, collector: Server
) -> None:
    page = context.new_page()
    page.goto(site.url, referer="http://from.example/")
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false })) }")
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })) }")
    first, second = received(page, collector, 2)
    assert first["referrer"] == "http://from.example/"
    assert "referrer" not in second


def test_the_script_twice_in_a_page_counts_once(context: BrowserContext, site: Server, collector: Server) -> None:
    site.page += snippet(collector)
    page = context.new_page()
    page.goto(site.url)
    received(page, collector, 1)


def test_bad_calls_do_not_break_the_page(context: BrowserContext, site: Server, collector: Server) -> None:
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => { const ring = {}; ring.ring = ring; logektor('ring', ring); logektor('big', {n: 1n}) }")
    received(page, collector, 1)


def test_a_browser_without_keepalive_sends_beacons(context: BrowserContext, site: Server, collector: Server) -> None:
    context.add_init_script("delete Request.prototype.keepalive; window.fetch = undefined")
    page = context.new_page()
    page.goto(site.url)
    received(page, collector, 1)
    headers = next(headers for method, _, headers in collector.requests if method == "POST")
    assert headers["Content-Type"] == "text/plain;charset=UTF-8"


def test_a_page_without_tls_makes_ids_too(context: BrowserContext, site: Server, collector: Server) -> None:
    context.add_init_script("crypto.randomUUID = undefined")
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => logektor('again')")
    events = received(page, collector, 2)
    assert len({event["eventId"] for event in events}) == 2
    assert all(len(event["eventId"]) == 32 for event in events)


def test_the_console_says_what_is_sent_only_when_asked(
    context: BrowserContext, site: Server, collector: Server
) -> None:
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site.url)
    received(page, collector, 1)
    assert said == []
    site.page = snippet(collector, "data-debug")
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { value: true })")
    collector.received.clear()
    page.goto(f"{site.url}/debug")
    received(page, collector, 1)
    wait_until(page, lambda: any("taken: pageview" in text for text in said))
    assert any("asks not to be tracked" in text for text in said)
