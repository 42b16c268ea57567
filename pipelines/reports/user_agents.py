"""What a User-Agent says: browser, operating system, kind of device, and whether it is a bot."""

import re
from functools import lru_cache

import polars as pl
import ua_parser

from pipelines.reports.distinct_values import each_distinct

DESKTOP = "Desktop"
MOBILE = "Mobile"
TABLET = "Tablet"

_BOT_WORDS = re.compile(
    # A page's visitor may own a phone of the maker Cubot.
    r"(?<!cu)bot|crawl|spider|slurp|scrape|headless|monitor|preview|validator|archiver|"
    # Fetchers of feeds.
    r"feed|fetch|\brss\b|reader/|newsblur|"
    # Tools and the default names of HTTP libraries.
    r"\b(curl|wget|python|go-http-client|java/|libwww|lwp|perl|ruby|php/|guzzle|httpie|axios|node-fetch|scrapy|aiohttp|httpx)",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"https?://|[\w.]+@[\w-]+\.\w|\+\(?www\.", re.IGNORECASE)
"""Bots say where their keepers can be reached; browsers don't."""

_DESKTOP_SYSTEMS = ("Windows", "Mac OS X", "Linux", "Chrome OS")
_HANDHELD_SYSTEMS = ("Android", "iOS", "Windows Phone", "BlackBerry OS", "KaiOS", "HarmonyOS", "Firefox OS", "Tizen")

_AGENT = pl.Struct({"is_bot": pl.Boolean(), "browser": pl.String(), "os": pl.String(), "device": pl.String()})


def agent(user_agent: pl.Expr) -> pl.Expr:
    """A struct {is_bot, browser, os, device} per User-Agent; null where there is none.

    is_bot: ua-parser calls its device a spider, or it has a word of bots, feed fetchers and HTTP tools in it, or the
    address of whoever runs it. browser, os: ua-parser's families. device: Desktop, Mobile or Tablet. Null = unknown.
    """
    return each_distinct(_read, _AGENT, user_agent)


@lru_cache(maxsize=50_000)
def _read(user_agent: str) -> dict[str, bool | str | None]:
    result = ua_parser.parse(user_agent)
    browser = result.user_agent.family if result.user_agent else None
    os = result.os.family if result.os else None
    spider = result.device is not None and result.device.family == "Spider"
    is_bot = spider or bool(_BOT_WORDS.search(user_agent) or _CONTACT.search(user_agent))
    return {"is_bot": is_bot, "browser": browser, "os": os, "device": None if is_bot else _device(user_agent, os)}


def _device(user_agent: str, os: str | None) -> str | None:
    # Android's browsers say Mobile on phones only.
    android_tablet = os == "Android" and user_agent.startswith("Mozilla/") and "Mobile" not in user_agent
    if android_tablet or "iPad" in user_agent or "Tablet" in user_agent:
        return TABLET
    if os in _HANDHELD_SYSTEMS or "Mobi" in user_agent or "Opera Mini" in user_agent:
        return MOBILE
    return DESKTOP if os in _DESKTOP_SYSTEMS or "X11;" in user_agent else None
