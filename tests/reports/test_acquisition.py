"""Where a visitor came from, by the names and channels that users of Plausible and Google Analytics expect."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest

from ingest_api import kept_address
from pipelines.reports.acquisition import CLICK_IDS
from pipelines.reports.clean_events import enrich
from pipelines.reports.known_sources import KnownSource, find_host, find_name
from tests.reports.rows import SITE, raw

PAGE = "https://example.com/"


def acquired(**row: Any) -> tuple[str, str]:
    frame = enrich(raw({"url": PAGE, **row}).collect(), {})
    source, channel = frame.select("source", "channel").row(0)
    return source, channel


@pytest.mark.parametrize(
    ("referrer", "source", "channel"),
    [
        (None, "Direct / None", "Direct"),
        ("", "Direct / None", "Direct"),
        ("-", "Direct / None", "Direct"),
        ("https://www.google.com/", "Google", "Organic Search"),
        ("http://www.google.co.uk/url", "Google", "Organic Search"),
        ("https://mail.google.com/", "Gmail", "Email"),
        ("android-app://com.google.android.gm/", "Gmail", "Email"),
        ("https://duckduckgo.com/", "DuckDuckGo", "Organic Search"),
        ("https://t.co/abc", "X", "Organic Social"),
        ("https://m.facebook.com/", "Facebook", "Organic Social"),
        ("https://youtu.be/abc", "YouTube", "Organic Video"),
        ("https://chatgpt.com/", "ChatGPT", "AI Assistants"),
        ("https://www.blog.org/post", "blog.org", "Referral"),
        ("https://google.com.evil.example/", "google.com.evil.example", "Referral"),
        ("https://notgoogle.com/", "notgoogle.com", "Referral"),
        ("https://notexample.com/", "notexample.com", "Referral"),
    ],
)
def test_the_referrer_names_the_source(referrer: str | None, source: str, channel: str) -> None:
    assert acquired(referrer=referrer) == (source, channel)


@pytest.mark.parametrize("host", ["example.com", "www.example.com", "blog.example.com", "EXAMPLE.com:8080"])
def test_the_site_itself_and_its_subdomains_are_no_source(host: str) -> None:
    assert acquired(referrer=f"https://{host}/a") == ("Direct / None", "Direct")
    assert acquired(referrer=f"https://{host}/a", site="www.example.com") == ("Direct / None", "Direct")


def test_the_pages_own_host_is_no_source() -> None:
    assert acquired(site="localhost", url="http://127.0.0.1:8000/b", referrer="http://127.0.0.1:8000/a") == (
        "Direct / None",
        "Direct",
    )


@pytest.mark.parametrize(
    ("query", "source", "channel"),
    [
        ("utm_source=google", "Google", "Organic Search"),
        ("utm_source=Google&utm_medium=cpc", "Google", "Paid Search"),
        ("utm_source=fb&utm_medium=paid_social", "Facebook", "Paid Social"),
        ("utm_source=partner&utm_medium=ppc", "partner", "Paid Other"),
        ("utm_source=partner&utm_medium=cpm", "partner", "Display"),
        ("utm_source=partner&utm_medium=affiliate", "partner", "Affiliates"),
        ("utm_source=Weekly&utm_medium=email", "Weekly", "Email"),
        ("ref=producthunt.com", "producthunt.com", "Referral"),
        ("utm_source=one&ref=two", "one", "Referral"),
        ("utm_medium=email", "Direct / None", "Email"),
    ],
)
def test_campaign_parameters_come_before_the_referrer(query: str, source: str, channel: str) -> None:
    assert acquired(url=f"{PAGE}?{query}") == (source, channel)
    if source != "Direct / None":
        assert acquired(url=f"{PAGE}?{query}", referrer="https://www.blog.org/") == (source, channel)


def test_a_click_id_tells_a_paid_search_from_a_free_one() -> None:
    assert acquired(url=f"{PAGE}?gclid=x", referrer="https://www.google.com/") == ("Google", "Paid Search")
    assert acquired(url=f"{PAGE}?gclid=x", referrer="https://www.blog.org/") == ("blog.org", "Referral")


def test_every_click_id_that_the_collector_keeps_is_told() -> None:
    assert frozenset(CLICK_IDS) == kept_address.CLICK_IDS


@pytest.mark.parametrize(
    ("query", "click_id"),
    [
        ("gclid=x", "gclid"),
        ("utm_source=a&FBCLID=x&gclid=y", "fbclid"),
        ("notgclid=x", None),
        ("gclidx=1", None),
        ("", None),
    ],
)
def test_the_click_id_is_told_by_its_name(query: str, click_id: str | None) -> None:
    assert enrich(raw({"url": f"{PAGE}?{query}"}).collect(), {})["click_id"].to_list() == [click_id]


@pytest.mark.parametrize(
    ("query", "referrer", "medium"),
    [
        ("utm_source=a&utm_medium=E-Mail", None, "e-mail"),
        ("gclid=x", "https://www.google.com/", "cpc"),
        ("gclid=x&utm_medium=display", "https://www.google.com/", "display"),
        ("", "https://www.google.com/", "organic"),
        ("", "https://www.blog.org/", "referral"),
        ("ref=blog.org", None, "referral"),
        ("", None, None),
    ],
)
def test_the_medium_is_the_campaigns_or_follows_from_the_source(
    query: str, referrer: str | None, medium: str | None
) -> None:
    row = {"url": f"{PAGE}?{query}", "referrer": referrer}
    assert enrich(raw(row).collect(), {})["medium"].to_list() == [medium]


def test_every_known_source_is_found_by_its_name_and_hosts() -> None:
    listed = tomllib.loads(files("pipelines.reports").joinpath("known_sources.toml").read_text(encoding="utf-8"))
    for entry in listed["source"]:
        for host in entry["hosts"]:
            found = find_host("www." + host.replace("*", "de"))
            assert isinstance(found, KnownSource)
            assert found.name == entry["name"]
        for alias in (entry["name"], *entry.get("aliases", [])):
            named = find_name(alias.upper())
            assert named is not None
            assert named.name == entry["name"]
    assert find_host(SITE) is None
