"""Landed rows become clean events: the site's day, page parts, what the User-Agent says."""

import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.reports.clean_events import EVENTS, enrich
from tests.reports.rows import FIREFOX, GOOGLEBOT, SITE, raw

UTC_ONLY = {SITE: "UTC"}


def clean(*rows: dict[str, Any], time_zones: dict[str, str] = UTC_ONLY) -> pl.DataFrame:
    return enrich(raw(*rows).collect(), time_zones).sort("kafka_offset")


def column(name: str, *rows: dict[str, Any]) -> list[Any]:
    return clean(*rows)[name].to_list()


def test_clean_events_have_the_columns_of_their_table() -> None:
    assert dict(clean({}).schema) == dict(EVENTS.schema)
    assert dict(clean().schema) == dict(EVENTS.schema)


def test_what_was_landed_is_kept() -> None:
    row = {
        "event_id": "e",
        "object_id": "2",
        "subject_type": "article",
        "subject_id": "7",
        "user_id": "u",
        "properties": '{"plan":"pro"}',
        "screen_width": 1920,
        "clock_adjusted": True,
    }
    assert_frame_equal(clean(row).select(*row), pl.DataFrame(row), check_dtypes=False)


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("UTC", datetime(2026, 11, 20, 23, 59, 59, 999_999, UTC), date(2026, 11, 20)),
        ("UTC", datetime(2026, 11, 21, 0, 0, tzinfo=UTC), date(2026, 11, 21)),
        ("Europe/Berlin", datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC), date(2026, 11, 20)),
        ("Europe/Berlin", datetime(2026, 11, 20, 23, 0, tzinfo=UTC), date(2026, 11, 21)),
        # In summer the day of Berlin begins an hour earlier.
        ("Europe/Berlin", datetime(2026, 7, 20, 22, 0, tzinfo=UTC), date(2026, 7, 21)),
        ("America/New_York", datetime(2026, 11, 21, 4, 59, tzinfo=UTC), date(2026, 11, 20)),
        ("Asia/Kathmandu", datetime(2026, 11, 20, 18, 15, tzinfo=UTC), date(2026, 11, 21)),
    ],
)
def test_the_day_is_the_sites(zone: str, at: datetime, day: date) -> None:
    sites = {SITE: zone, "other.org": "Asia/Tokyo"}
    assert clean({"occurred_at": at}, time_zones=sites)["event_date"].to_list() == [day]


def test_the_hour_is_the_sites_and_the_hour_that_comes_twice_is_one() -> None:
    half_past = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(3)]
    rows = clean(*({"occurred_at": at} for at in half_past), time_zones={SITE: "Europe/Berlin"})
    assert rows["event_hour"].to_list() == [2, 2, 3]


def test_a_site_without_time_zone_has_days_of_utc() -> None:
    at = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    rows = ({"site": "unknown.org", "occurred_at": at}, {"occurred_at": at})
    days = clean(*rows, time_zones={SITE: "Europe/Berlin"})["event_date"].to_list()
    assert days == [date(2026, 11, 20), date(2026, 11, 21)]


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://Shop.Example.com:8443/a/b?x=1#c", "shop.example.com", "/a/b"),
        ("https://example.com", "example.com", "/"),
        ("https://example.com?utm_source=x", "example.com", "/"),
        ("https://example.com/#/app", "example.com", "/"),
        ("https://ann:secret@example.com/a", "example.com", "/a"),
        ("http://[::1]:8080/a", "[::1]", "/a"),
        ("http://localhost:8080/a/", "localhost", "/a/"),
        ("/a?b=c", None, "/a"),
        ("https://example.com/mail@home", "example.com", "/mail@home"),
        (None, None, None),
    ],
)
def test_host_and_path_are_those_of_the_url(url: str | None, host: str | None, path: str | None) -> None:
    assert clean({"url": url}).select("host", "path").row(0) == (host, path)


def test_a_page_without_url_is_named_by_its_subject() -> None:
    rows = (
        {"subject_type": "page", "subject_id": "/pricing"},
        {"subject_type": "page", "subject_id": "/pricing", "url": "https://example.com/other"},
        {"subject_type": "article", "subject_id": "7"},
    )
    assert column("path", *rows) == ["/pricing", "/other", None]


def test_campaign_parameters_are_decoded() -> None:
    url = "https://example.com/?a=b&utm_source=news%20letter&utm_medium=E-Mail&utm_campaign=f%C3%BCr+alle#utm_source=no"
    names = ("utm_source", "utm_medium", "utm_campaign")
    assert clean({"url": url}).select(names).row(0) == ("news letter", "E-Mail", "für alle")
    assert clean({"url": "https://example.com/?utm_content=b&utm_term=a+b"}).select("utm_term", "utm_content").row(
        0
    ) == ("a b", "b")
    assert clean({"url": "https://example.com/?xutm_source=a&utm_medium="}).select(names).row(0) == (None, None, None)


def test_the_referrers_host_is_in_small_letters_and_may_be_the_sites_own() -> None:
    rows: tuple[dict[str, Any], ...] = (
        {"referrer": "https://Blog.Org:8080/a"},
        {"referrer": "https://example.com/a"},
        {"referrer": "-"},
        {},
    )
    assert column("referrer_host", *rows) == ["blog.org", "example.com", None, None]


@pytest.mark.parametrize(
    ("properties", "engaged_ms", "scroll_depth"),
    [
        ('{"engagedMs":5021,"scrollDepth":87}', 5021, 87),
        ('{"a":"\\"engagedMs\\":1","engagedMs":0,"scrollDepth":100.0}', 0, 100),
        ('{"engagedMs":-1,"scrollDepth":101}', None, None),
        ('{"engagedMs":1e20,"scrollDepth":"deep"}', None, None),
        ('{"engagedMs":"NaN","scrollDepth":[7]}', None, None),
        ('{"engagedMs":true,"scrollDepth":null}', None, None),
        ('{"parts":{"engagedMs":5}}', None, None),
        ("[5021, 87]", None, None),
        ("{", None, None),
        (None, None, None),
    ],
)
def test_an_engagement_says_how_long_and_how_far(
    properties: str | None, engaged_ms: int | None, scroll_depth: int | None
) -> None:
    row = {"action": "engagement", "properties": properties}
    assert clean(row).select("engaged_ms", "scroll_depth").row(0) == (engaged_ms, scroll_depth)


def test_only_engagements_are_asked_for_their_engagement() -> None:
    row = {"action": "play", "properties": '{"engagedMs":5021,"scrollDepth":87}'}
    assert clean(row).select("engaged_ms", "scroll_depth").row(0) == (None, None)


@pytest.mark.parametrize(
    ("user_agent", "is_bot", "browser", "os", "device"),
    [
        (FIREFOX, False, "Firefox", "Linux", "Desktop"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.0 Mobile/15E148 Safari/604.1",
            False,
            "Mobile Safari",
            "iOS",
            "Mobile",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-X910) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0.0.0 Safari/537.36",
            False,
            "Chrome",
            "Android",
            "Tablet",
        ),
        (None, False, None, None, None),
        ("", False, None, None, None),
    ],
)
def test_browser_system_and_device_come_from_the_user_agent(
    user_agent: str | None, is_bot: bool, browser: str | None, os: str | None, device: str | None
) -> None:
    result = clean({"user_agent": user_agent}).select("is_bot", "browser", "os", "device").row(0)
    assert result == (is_bot, browser, os, device)


@pytest.mark.parametrize(
    "user_agent",
    [
        GOOGLEBOT,
        "curl/8.5.0",
        "Wget/1.21",
        "python-requests/2.34",
        "Go-http-client/2.0",
        "FeedBurner/1.0 (http://www.FeedBurner.com)",
        "UniversalFeedParser/4.2 +http://feedparser.org/",
        "Tiny Tiny RSS/1.11 (http://tt-rss.org/)",
        "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0 Safari/537.36",
    ],
)
def test_crawlers_feed_fetchers_and_tools_are_bots(user_agent: str) -> None:
    assert column("is_bot", {"user_agent": user_agent}) == [True]


def test_a_phone_of_cubot_is_no_bot() -> None:
    agent = "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
    assert clean({"user_agent": agent}).select("is_bot", "device").row(0) == (False, "Mobile")


TWO_THREADS = """
from concurrent.futures import ThreadPoolExecutor

from pipelines.reports.clean_events import enrich
from tests.reports.rows import raw

rows = raw(*({"url": f"https://example.com/{number}?ref=a", "user_agent": "x"} for number in range(100))).collect()
with ThreadPoolExecutor(2) as threads:
    assert sum(threads.map(lambda _: enrich(rows, {}).height, range(200))) == 20_000
"""


def test_threads_may_enrich_at_once() -> None:
    """A query within a query's function made two threads wait for each other for ever; so in a process of its own."""
    subprocess.run([sys.executable, "-c", TWO_THREADS], check=True, timeout=60)
