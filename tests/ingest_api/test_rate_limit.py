"""How much a site may send."""

import math
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_api.bots import says_it_is_a_bot
from ingest_api.kept_rejections import KeptRejections
from ingest_api.rate_limit import RateLimits, TokenBucket
from pipelines.reports.user_agents import agent
from sites import Site
from tests.ingest_api.conftest import NOW, SEED, Api

SECOND = 1_000_000
LIMITED = Site("example.com", ("pk",), ("sk",), rate_limit=10)

steps = st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 30)), min_size=1, max_size=60)


@given(st.integers(1, 100), st.integers(30, 200), steps)
def test_in_no_stretch_of_time_more_passes_than_rate_and_burst(
    rate: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    bucket = TokenBucket(rate, burst)
    passed, now = [], NOW
    for pause, tokens in steps:
        now += pause
        if bucket.take(tokens, now) == 0:
            passed.append((now, tokens))
    for first in range(len(passed)):
        total = 0
        for at, tokens in passed[first:]:
            total += tokens
            assert total <= burst + rate * (at - passed[first][0]) / SECOND + 1e-6


@given(st.integers(1, 100), st.integers(30, 200), steps)
def test_who_waits_as_told_is_let_through(rate: int, burst: int, steps: list[tuple[int, int]]) -> None:
    bucket = TokenBucket(rate, burst)
    now = NOW
    for pause, tokens in steps:
        now += pause
        wait = bucket.take(tokens, now)
        if wait:
            now += math.ceil(wait * SECOND)
            assert bucket.take(tokens, now) == 0


@given(st.lists(st.integers(-SECOND, SECOND), max_size=30))
def test_a_clock_that_goes_back_gives_nothing(steps: list[int]) -> None:
    bucket = TokenBucket(10, 10)
    assert bucket.take(10, NOW) == 0
    times = [NOW]
    for step in steps:
        times.append(times[-1] + step)
    gained = sum(bucket.take(1, now) == 0 for now in times)
    forward = sum(max(0, later - earlier) for earlier, later in pairwise(times))
    assert gained <= forward / SECOND * 10


@given(st.integers(0, 3_600 * SECOND))
def test_a_clock_set_back_shuts_nobody_out(back: int) -> None:
    bucket = TokenBucket(10, 10)
    assert bucket.take(10, NOW) == 0
    assert bucket.take(1, NOW - back) == 0.1
    assert bucket.take(10, NOW - back + SECOND) == 0


def test_what_never_fits_has_no_time_to_wait_for() -> None:
    assert TokenBucket(10, 10).take(11, NOW) == math.inf


def test_a_limit_is_shared_out_over_the_processes_and_a_batch_still_fits() -> None:
    limits = RateLimits(processes=2, largest_batch=100)
    assert limits.take(LIMITED, 100, NOW) == 0
    assert limits.take(LIMITED, 5, NOW) == 1.0
    assert limits.take(LIMITED, 5, NOW + SECOND) == 0


def test_a_changed_limit_counts_at_once() -> None:
    limits = RateLimits(processes=1, largest_batch=1)
    assert limits.take(LIMITED, 10, NOW) == 0
    assert limits.take(LIMITED, 1, NOW) > 0
    assert limits.take(Site("example.com", ("pk",), ("sk",), rate_limit=20), 1, NOW) == 0


def test_a_site_that_sends_too_fast_is_told_when_to_come_back(api: Api) -> None:
    api.declare("example.com", "rate_limit = 10")
    page = {"origin": "https://example.com"}
    assert api.batch([SEED] * 100, **page).status_code == 202
    answer = api.track(SEED, **page)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["code"] == "too_fast"
    assert 'requests_refused_total{reason="too_fast",site="example.com"}' in api.request("GET", "/metrics").text
    assert api.track(SEED).status_code == 202, "other sites have their own limit"
    api.now += SECOND
    assert api.track(SEED, **page).status_code == 202
    assert len(api.events()) == 102


def test_a_batch_past_the_limit_is_refused_whole(api: Api) -> None:
    api.declare("example.com", "rate_limit = 10")
    page = {"origin": "https://example.com"}
    assert api.batch([SEED] * 60, **page).status_code == 202
    assert api.batch([SEED] * 60, **page).status_code == 429
    assert len(api.events()) == 60


def test_rejections_past_the_bound_are_answered_and_counted_but_not_kept(api: Api) -> None:
    api.kept_bytes_per_minute = 100
    api.build()
    answers = [api.track({"action": "", "title": "x" * 100}) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [400] * 10
    said = ["It was not kept" not in answer.json()["error"]["message"] for answer in answers]
    assert 0 < sum(said) < 10
    assert sum(said) == len(api.rejections())
    (rejected,) = api.batch([SEED, {"action": ""}, SEED, SEED]).json()["rejected"]
    assert rejected["message"].endswith("than is kept.")
    assert "It was not kept" in api.request("POST", "/batch", content=b"[").json()["error"]["message"]
    assert len(api.events()) == 3, "bad input never costs a good event"
    assert 'rejections_not_kept_total{reason="invalid",site="localhost"}' in api.request("GET", "/metrics").text


def test_the_log_says_once_a_minute_which_site_is_past_its_bound(caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptRejections(bytes_per_minute=0)
    for at in (NOW, NOW + 59 * SECOND, NOW + 60 * SECOND, NOW + 61 * SECOND):
        assert not kept.keeps("a.test", 100, at)
    kept.keeps("b.test", 100, NOW)
    assert [record.message.split()[0] for record in caplog.records] == ["a.test", "a.test", "b.test"]


@given(st.lists(st.tuples(st.integers(0, 30 * SECOND), st.integers(1, 70_000)), min_size=1, max_size=60))
def test_in_no_stretch_of_time_more_is_kept_than_its_minutes_and_ten(brought: list[tuple[int, int]]) -> None:
    per_minute = 20_000
    kept, now, total = KeptRejections(per_minute), NOW, 0
    for pause, size in brought:
        now += pause
        total += size if kept.keeps("a.test", size, now) else 0
        assert total <= per_minute * (10 + (now - NOW) / SECOND / 60) + 1
    assert kept.keeps("other.test", 1, now)


def test_a_dry_run_uses_nothing_of_the_bound(api: Api) -> None:
    api.kept_bytes_per_minute = 100
    api.build()
    for _ in range(10):
        tried = api.request("POST", "/track?dry_run=1", json={"action": "", "title": "x" * 100})
        assert "It was not kept" not in tried.json()["error"]["message"]
    api.track({"action": "", "title": "x" * 100})
    assert len(api.rejections()) == 1


def test_each_site_has_a_bound_of_its_own_that_comes_back_with_time() -> None:
    kept = KeptRejections(bytes_per_minute=60)
    assert kept.keeps("a.test", 600, NOW)
    assert not kept.keeps("a.test", 1, NOW)
    assert kept.keeps("b.test", 600, NOW)
    assert kept.keeps("a.test", 1, NOW + SECOND)


@pytest.mark.parametrize(
    ("user_agent", "says_so"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", True),
        ("SomeCrawler/1.0", True),
        ("Baiduspider", True),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", False),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) Chrome/100 Mobile Safari/537.36", False),
        ("Mozilla/5.0 (Linux; Android 7.0; CUBOT NOTE S) Chrome/100 Mobile Safari/537.36", False),
        ("", False),
    ],
)
def test_a_bot_is_who_says_so(user_agent: str, says_so: bool) -> None:
    assert says_it_is_a_bot(user_agent) is says_so


pieces = st.sampled_from(["Bot", "cu", "CUBOT", "_", " ", "crawl", "er", "spider", "Slurp", "+http://a.b", "(", "/1.0"])


@settings(deadline=None)  # Loading the reports' list takes a while.
@given(st.lists(pieces | st.text(max_size=3), min_size=1, max_size=6).map("".join))
def test_nobody_is_dropped_as_a_bot_who_is_a_person_to_the_reports(user_agent: str) -> None:
    if says_it_is_a_bot(user_agent):
        seen = pl.select(user_agent=pl.lit(user_agent)).select(agent(pl.col("user_agent")).struct.field("is_bot"))
        assert seen.item()


def test_a_site_may_store_nothing_of_bots(api: Api) -> None:
    api.declare("example.com", 'bots = "drop"')
    page = {"origin": "https://example.com"}
    assert api.track(SEED, user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)", **page).status_code == 202
    assert api.track(SEED, user_agent="Firefox", **page).status_code == 202
    assert len(api.events()) == 1
    assert 'events_dropped_total{reason="bot",site="example.com"}' in api.request("GET", "/metrics").text
