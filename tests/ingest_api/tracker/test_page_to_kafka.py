"""A page with the snippet, opened in Chromium, reaches Kafka through the real collector."""

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext

from event_stream.codec import decode_event
from event_stream.topics import EVENTS
from tests.conftest import RunningKafka
from tests.ingest_api.running_collector import running_collector
from tests.ingest_api.tracker.conftest import console, nothing_waits, wait_until
from tests.ingest_api.tracker.serving import STUB, Website, listening

pytestmark = [pytest.mark.browser, pytest.mark.kafka]


def test_a_page_with_the_snippet_appears_in_kafka(context: BrowserContext, kafka: RunningKafka, tmp_path: Path) -> None:
    title = f"Shop {uuid4()}"
    site = Website()
    with (
        running_collector(tmp_path, "localhost", kafka.bootstrap_servers) as collector,
        listening(site.answer) as site.url,
    ):
        snippet = f'<script defer data-site="localhost" src="{collector.url}/logektor.js"></script>'
        site.page = f"<title>{title}</title>{STUB}{snippet}<script>logektor('signup', {{plan: 'pro'}})</script>"
        page = context.new_page()
        refused = console(page)
        page.goto(f"{site.url}/welcome?utm_source=a&secret=b")
        wait_until(page, lambda: nothing_waits(page))
        page.goto("about:blank")
        values = collector.values_with(EVENTS, title.encode(), 3)
        assert refused == []
    events = {event.action: event for event in map(decode_event, values)}
    view, signup, left = events["pageview"], events["signup"], events["engagement"]
    assert (view.action, view.site, view.subject_type, view.subject_id) == ("pageview", "localhost", "page", "/welcome")
    assert view.url == f"{site.url}/welcome?utm_source=a"
    assert (view.title, view.language, view.clock_adjusted) == (title, "en-US", False)
    assert view.visitor_id is not None
    assert "Chrome" in (view.user_agent or "")
    assert bytes(signup.properties) == b'{"plan":"pro"}'
    assert signup.visitor_id == view.visitor_id
    assert (left.subject_type, left.subject_id, left.url) == ("page", "/welcome", view.url)
    assert left.visitor_id == view.visitor_id
