"""What a newcomer does first: the curl that `up` prints, and the script on a page."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.browser import chromium
from tests.end_to_end.conftest import Stack, until

pytestmark = pytest.mark.kafka

SEED_EVENT = (
    '{"objectId":2,"objectType":"user","action":"view","subjectId":2,"subjectType":"article",'
    '"datetimeStamp":1584392223}'
)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_the_seeds_event_is_in_report_actions_within_two_minutes(stack: Stack) -> None:
    answer = httpx.post(
        stack.url("/track", "collector"),
        content=SEED_EVENT,
        headers={"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "curl/8.5.0"},
    )
    assert answer.status_code == 202

    def counted() -> bool:
        rows = stack.report("actions", "localhost", today(), today())
        return any(
            (row["object_type"], row["action"], row["subject_type"]) == ("user", "view", "article") for row in rows
        )

    until(counted, 120, "user view article in report actions of today", every=1.0)


@contextmanager
def page_with_the_snippet(snippet: str) -> Iterator[str]:
    """A page on a web server of its own, with the snippet that `up` prints."""
    page = f"<!doctype html><title>Shop</title>{snippet}<h1>Hello</h1>".encode()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}/shop"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.browser
def test_a_page_with_the_snippet_opened_in_chromium_appears_in_traffic(stack: Stack) -> None:
    snippet = f'<script defer data-site="localhost" src="{stack.url("/logektor.js", "collector")}"></script>'

    def pageviews() -> int:
        return sum(row["pageviews"] for row in stack.report("traffic", "localhost", today(), today()))

    before = pageviews()
    with page_with_the_snippet(snippet) as url, chromium() as browser:
        page = browser.new_page(user_agent=PERSON)
        with page.expect_response(lambda response: response.url.endswith("/batch")) as sent:
            page.goto(url)
        assert sent.value.status == 202
    until(lambda: pageviews() == before + 1, 120, "the page view in report traffic", every=1.0)


PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""Headless Chromium says so in its User-Agent, and is rightly a bot."""
