"""The page views that the script counts in a real Chromium, and what it never does."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from ingest_api.service import TRACKER_FILE
from tests.ingest_api.tracker.conftest import console, nothing_waits, path_of, received, snippet, wait_until
from tests.ingest_api.tracker.serving import STUB, Line, Received, Reply, Website, listening

pytestmark = pytest.mark.browser


def views(line: Line) -> list[dict[str, Any]]:
    """The page views that were sent."""
    return [event for event in line.sent if event["action"] == "pageview"]


def test_a_page_with_the_snippet_sends_one_page_view(context: BrowserContext, site: Website, line: Line) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/blog?utm_source=x#part", referer="http://from.example/")
    (event,) = received(page, line, 1)
    assert len(event.pop("eventId")) == 36
    assert abs(event.pop("datetimeStamp") - event.pop("sentAt")) < 5_000
    assert event == {
        "site": "localhost",
        "action": "pageview",
        "url": f"{site.url}/blog?utm_source=x",
        "referrer": "http://from.example/",
        "title": "Shop",
        "language": "en-US",
        "screenWidth": 1440,
    }


def test_an_event_is_text_and_needs_no_preflight_and_no_cookie(
    context: BrowserContext, site: Website, line: Line
) -> None:
    page = context.new_page()
    page.goto(site.url)
    received(page, line, 1)
    assert {request.method for request in line.requests} == {"GET", "POST"}
    post = line.posts[0]
    assert post.path == "/batch"
    assert post.headers["Content-Type"] == "text/plain;charset=UTF-8"
    assert post.headers["Origin"] == site.url
    assert not any("Cookie" in request.headers for request in line.requests)
    assert context.cookies() == []
    wait_until(page, lambda: nothing_waits(page))
    assert page.evaluate("() => sessionStorage.length") == 0


def test_key_collector_and_path_can_be_named(context: BrowserContext, site: Website, line: Line) -> None:
    asked: list[Received] = []

    def elsewhere(request: Received) -> Reply:
        asked.append(request)
        return Reply(200, {"Content-Type": "text/javascript"}, TRACKER_FILE.read_bytes())

    with listening(elsewhere) as url:
        options = f'data-key="pk a" data-api="{line.url}/" data-path="/renamed"'
        site.page = f'<script defer data-site="localhost" {options} src="{url}/any.js"></script>'
        page = context.new_page()
        page.goto(site.url)
        wait_until(page, lambda: len(line.posts) >= 1)
    assert line.posts[0].path == "/renamed?key=pk%20a"
    assert "POST" not in {request.method for request in asked}


@pytest.mark.parametrize("options", ["{site: 'localhost', api: '%s'}", None])
def test_a_bundle_says_its_options_in_a_variable(
    context: BrowserContext, site: Website, line: Line, options: str | None
) -> None:
    said_options = f"<script>window.logektorOptions = {options % line.url}</script>" if options else ""
    site.page = f"{said_options}<script type='module'>import '{site.url}/logektor.js'</script>"
    context.route("**/logektor.js", lambda route: route.fulfill(path=TRACKER_FILE, content_type="text/javascript"))
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    if options:
        (event,) = received(page, line, 1)
        assert (event["action"], event["site"]) == ("pageview", "localhost")
    else:
        wait_until(page, lambda: said == ["logektor: set window.logektorOptions before the import"])


def test_the_script_needs_neither_eval_nor_inline_code(context: BrowserContext, site: Website, line: Line) -> None:
    site.page = snippet(line)
    site.headers = {"Content-Security-Policy": f"default-src 'none'; script-src {line.url}; connect-src {line.url}"}
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    received(page, line, 1)
    assert not [text for text in said if "Content Security Policy" in text and "favicon" not in text]


def test_a_route_behind_the_hash_is_a_page_where_the_site_says_so(
    context: BrowserContext, site: Website, line: Line
) -> None:
    site.page = snippet(line, "data-hash")
    page = context.new_page()
    page.goto(f"{site.url}/app?utm_source=x#/start")
    steps = [
        ("location.hash = '#!/cart/2?sort=price'", 2),
        ("history.replaceState({}, '', '#!/cart/2?sort=name')", 2),
        ("history.pushState({}, '', '#/done')", 3),
        ("history.back()", 4),
    ]
    for step, page_views in steps:
        page.evaluate(f"() => {{ {step} }}")
        wait_until(page, lambda: len(views(line)) == page_views)  # noqa: B023 - called at once
    assert [path_of(event) for event in views(line)] == [
        "/app/start?utm_source=x",
        "/app/cart/2?utm_source=x&sort=price",
        "/app/done?utm_source=x",
        "/app/cart/2?utm_source=x&sort=name",
    ]
    assert [event.subject_id for event in line.api.events() if event.action == "pageview"][:2] == [
        "/app/start",
        "/app/cart/2",
    ]


def test_calls_before_the_script_is_there_are_sent_after_the_page_view(
    context: BrowserContext, site: Website, line: Line
) -> None:
    early = "<script>logektor('signup', {plan: 'pro'}); window.kept = logektor</script>"
    site.page = STUB + early + snippet(line)
    page = context.new_page()
    page.goto(site.url)
    wait_until(page, lambda: len(line.sent) == 2)
    page.evaluate("() => kept('later')")
    wait_until(page, lambda: len(line.sent) == 3)
    signup = next(event for event in line.sent if event["action"] == "signup")
    assert signup["properties"] == {"plan": "pro"}
    assert sorted(event["action"] for event in line.sent) == ["later", "pageview", "signup"]
    assert len({event["eventId"] for event in line.sent}) == 3


def test_a_single_page_app_is_counted_page_by_page(context: BrowserContext, site: Website, line: Line) -> None:
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
        wait_until(page, lambda: len(views(line)) == page_views)  # noqa: B023 - called at once
    events = views(line)
    assert [path_of(event) for event in events] == ["/start", "/cart", "/cart?page=2", "/done", "/cart?sort=price"]
    assert "referrer" not in events[0]
    assert [path_of({"url": event["referrer"]}) for event in events[1:]] == [
        "/start",
        "/cart?sort=price",
        "/cart?page=2",
        "/done",
    ]


def test_the_title_of_the_page_before_is_not_sent_for_the_next_one(
    context: BrowserContext, site: Website, line: Line
) -> None:
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => { history.pushState({}, '', '/cart'); document.title = 'Cart'; logektor('buy') }")
    events = {event["action"] + path_of(event): event for event in received(page, line, 4)}
    assert events["pageview/"]["title"] == "Shop"
    assert "title" not in events["pageview/cart"]
    assert events["buy/cart"]["title"] == "Cart"


def test_nothing_is_sent_by_who_ignores_themselves(context: BrowserContext, site: Website, line: Line) -> None:
    site.page = snippet(line, "data-debug")
    context.add_init_script("localStorage.setItem('logektor_ignore', 'true')")
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    page.evaluate("() => { logektor('signup'); history.pushState({}, '', '/cart') }")
    page.evaluate("() => localStorage.removeItem('logektor_ignore')")
    assert received(page, line, 0) == []
    assert {text.split()[-1] for text in said if "ignored" in text} >= {"pageview", "signup"}


def test_blocked_storage_does_not_stop_the_script(context: BrowserContext, site: Website, line: Line) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    page = context.new_page()
    page.goto(site.url)
    received(page, line, 1)


def test_a_prerendered_page_counts_when_it_is_shown(context: BrowserContext, site: Website, line: Line) -> None:
    context.add_init_script(
        "Object.defineProperty(Document.prototype, 'prerendering', { value: true, writable: true })"
    )
    site.page = snippet(line)
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => logektor('early')")
    page.evaluate("(url) => fetch(url, { mode: 'no-cors' })", f"{line.url}/what-was-sent-came-before-this")
    assert line.sent == []
    page.evaluate("() => { document.dispatchEvent(new Event('prerenderingchange')) }")
    events = received(page, line, 2)
    assert {event["action"] for event in events} == {"pageview", "early"}


def test_a_page_restored_from_the_browsers_cache_counts_again(
    context: BrowserContext, site: Website, line: Line
) -> None:
    page = context.new_page()
    page.goto(site.url, referer="http://from.example/")
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false })) }")
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })) }")
    first, second = received(page, line, 2)
    assert first["referrer"] == "http://from.example/"
    assert "referrer" not in second


def test_the_script_twice_in_a_page_counts_once(context: BrowserContext, site: Website, line: Line) -> None:
    site.page += snippet(line)
    page = context.new_page()
    page.goto(site.url)
    received(page, line, 1)


def test_bad_calls_do_not_break_the_page(context: BrowserContext, site: Website, line: Line) -> None:
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => { const ring = {}; ring.ring = ring; logektor('ring', ring); logektor('big', {n: 1n}) }")
    received(page, line, 1)


def test_a_page_without_tls_makes_ids_too(context: BrowserContext, site: Website, line: Line) -> None:
    context.add_init_script("crypto.randomUUID = undefined")
    page = context.new_page()
    page.goto(site.url)
    page.evaluate("() => logektor('again')")
    events = received(page, line, 2)
    assert len({event["eventId"] for event in events}) == 2
    assert all(len(event["eventId"]) == 32 for event in events)


def test_the_console_says_what_is_sent_only_when_asked(context: BrowserContext, site: Website, line: Line) -> None:
    page = context.new_page()
    said = console(page)
    page.goto(site.url)
    received(page, line, 1)
    assert said == []
    site.page = snippet(line, "data-debug")
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { value: true })")
    page.goto(f"{site.url}/debug")
    wait_until(page, lambda: any("taken:" in text and "/debug" in text for text in said))
    assert any("asks not to be tracked" in text for text in said)
