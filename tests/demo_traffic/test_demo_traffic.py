"""The demo's visitors: repeatable, believable, marked as synthetic, and sent once."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_api.tracked_event import read_tracked_event
from logektor.batch_client import MAX_BATCH_EVENTS, BatchAnswer, BatchFailed
from logektor.demo_traffic import HISTORY, DemoTraffic
from logektor.demo_visits import SITE, DemoEvent, events_between, visits_per_minute
from sites import register_site
from tests.log_import.recording_collector import recording_collector

NOW = datetime(2026, 11, 24, 12, 34, 56, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def day() -> list[DemoEvent]:
    return events_between(1, NOW - DAY, NOW)


def test_the_same_seed_gives_the_same_events(day: list[DemoEvent]) -> None:
    assert events_between(1, NOW - DAY, NOW) == day
    assert events_between(2, NOW - DAY, NOW) != day


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 7_200_000), max_size=4))
def test_the_events_of_a_time_are_those_of_its_pieces(cuts: list[int]) -> None:
    start = NOW - timedelta(hours=2)
    bounds = [start, *(start + timedelta(milliseconds=cut) for cut in sorted(cuts)), NOW]
    pieces = [event for begin, end in pairwise(bounds) for event in events_between(1, begin, end)]
    assert pieces == events_between(1, start, NOW)


def test_every_event_is_one_of_its_own_and_marked_as_synthetic(day: list[DemoEvent]) -> None:
    assert len({event.event_id for event in day}) == len(day)
    assert {event.site for event in day} == {SITE}
    assert all(event.properties["synthetic"] is True for event in day)
    assert all(NOW - DAY <= event.datetime_stamp < NOW for event in day)


def test_every_event_is_one_that_the_collector_reads(day: list[DemoEvent]) -> None:
    for event in day:
        assert read_tracked_event(msgspec.json.encode(event)).event_id == event.event_id


def test_a_day_is_believable(day: list[DemoEvent]) -> None:
    actions = Counter(event.action for event in day)
    assert 2_000 < actions["pageview"] < 8_000
    assert set(actions) == {"pageview", "view", "signup"}
    assert 10 < actions["signup"] < actions["view"] < actions["pageview"]
    pages = Counter(event.url for event in day)
    assert pages.most_common()[0][1] > 10 * pages.most_common()[-1][1]
    bots = sum("bot" in event.user_agent.lower() for event in day)
    assert 0.01 < bots / len(day) < 0.15
    per_visitor = Counter(event.visitor_id for event in day if "visitor" in event.visitor_id)
    assert len(per_visitor) > 500


def test_more_come_by_day_than_by_night() -> None:
    by_hour = [visits_per_minute(datetime(2026, 11, 24, hour, tzinfo=UTC)) for hour in range(24)]
    assert max(by_hour) == by_hour[15]
    assert min(by_hour) == by_hour[3]
    assert by_hour[15] > 4 * by_hour[3] > 0
    assert visits_per_minute(datetime(2026, 11, 28, 15, tzinfo=UTC)) < by_hour[15]


class Sent:
    """Takes batches; after `limit` of them it fails."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.limit = limit

    def __call__(self, events: Sequence[bytes]) -> BatchAnswer:
        if len(self.batches) == self.limit:
            raise BatchFailed("enough")
        self.batches.append([msgspec.json.decode(event) for event in events])
        return BatchAnswer(accepted=len(events))

    @property
    def ids(self) -> list[str]:
        return [event["eventId"] for batch in self.batches for event in batch]


def test_the_last_days_are_sent_first_and_then_what_happens(tmp_path: Path) -> None:
    sent = Sent()
    traffic = DemoTraffic(sent, tmp_path / "demo_traffic.json")
    assert traffic.catch_up(NOW) == len(sent.ids)
    assert traffic.catch_up(NOW) == 0
    later = NOW + timedelta(minutes=5)
    assert traffic.catch_up(later) > 0
    assert sent.ids == [event.event_id for event in events_between(1, NOW - HISTORY, later)]
    assert max(map(len, sent.batches)) == MAX_BATCH_EVENTS


def test_a_restart_doubles_nothing(tmp_path: Path) -> None:
    interrupted = Sent(limit=12)
    with pytest.raises(BatchFailed):
        DemoTraffic(interrupted, tmp_path / "demo_traffic.json").catch_up(NOW)
    again = Sent()
    DemoTraffic(again, tmp_path / "demo_traffic.json").catch_up(NOW)
    expected = [event.event_id for event in events_between(1, NOW - HISTORY, NOW)]
    assert len(again.ids) < len(expected)
    assert set(interrupted.ids) | set(again.ids) == set(expected)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.05)


def test_the_process_sends_and_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    with recording_collector() as collector:
        collector.server_key = register_site(tmp_path / "sites.toml", SITE).server_key
        environment = {**os.environ, "LOGEKTOR_HOME": str(tmp_path), "LOGEKTOR_COLLECTOR_URL": collector.url}
        process = subprocess.Popen(
            [sys.executable, "-m", "logektor.demo_traffic"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process, process.stdout:
            until(lambda: len(collector.events) > 20_000)
            until(lambda: (tmp_path / "demo_traffic.json").exists())
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert len(set(collector.ids)) == len(collector.ids)


def test_a_bad_setting_stops_the_process_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sites.toml").write_text("[nonsense]\n", encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "logektor.demo_traffic"],
        env={**os.environ, "LOGEKTOR_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "sites.toml: unknown table 'nonsense'" in result.stderr
