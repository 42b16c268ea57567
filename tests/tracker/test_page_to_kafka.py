"""A page with the snippet, opened in Chromium, reaches Kafka through the real collector."""

from pathlib import Path
from uuid import uuid4

import pytest

from event_stream.codec import decode_event
from event_stream.topics import EVENTS
from tests.browser import chromium
from tests.conftest import RunningKafka
from tests.tracker.running_collector import running_collector
from tests.tracker.test_logektor_js import STUB, serving

pytestmark = [pytest.mark.browser, pytest.mark.kafka]


def test_a_page_with_the_snippet_appears_in_kafka(kafka: RunningKafka, tmp_path: Path) -> None:
    title = f"Shop {uuid4()}"
    with (
        running_collector(tmp_path, "localhost", kafka.bootstrap_servers) as collector,
        serving() as site,
        chromium() as browser,
    ):
        snippet = f'<script defer data-site="localhost" src="{collector.url}/logektor.js"></script>'
        site.page = f"<title>{title}</title>{STUB}{snippet}<script>logektor('signup', {{plan: 'pro'}})</script>"
        page = browser.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(f"{site.url}/welcome?utm_source=a&secret=b")
        values = collector.values_with(EVENTS, title.encode(), 2)
        assert refused == []
    view, signup = sorted((decode_event(value) for value in values), key=lambda event: event.action)
    assert (view.action, view.site, view.subject_type, view.subject_id) == ("pageview", "localhost", "page", "/welcome")
    assert view.url == f"{site.url}/welcome?utm_source=a"
    assert (view.title, view.language, view.clock_adjusted) == (title, "en-US", False)
    assert view.visitor_id is not None
    assert "Chrome" in (view.user_agent or "")
    assert (signup.action, bytes(signup.properties)) == ("signup", b'{"plan":"pro"}')
    assert signup.visitor_id == view.visitor_id
