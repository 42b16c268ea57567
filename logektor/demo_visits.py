"""Synthetic visitors of a site that does not exist: the same seed and times always give the same events."""

import math
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import msgspec

SITE = "demo.example"
LONGEST_VISIT = timedelta(minutes=30)

_VISITS_PER_MINUTE = 1.3
_PERSONS = 4_000
_SIGNED_IN_SHARE = 0.25
_BOT_SHARE = 0.06
_SIGNUP_SHARE = 0.45
_LONGEST_PAUSE_SECONDS = 240

T = TypeVar("T")


class DemoEvent(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """An event as the site's server would send it; its properties say that it is synthetic."""

    event_id: str
    site: str
    action: str
    datetime_stamp: datetime
    object_type: str | None = None
    object_id: int | None = None
    subject_type: str | None = None
    subject_id: int | None = None
    visitor_id: str
    url: str
    referrer: str | None = None
    title: str
    language: str | None = None
    screen_width: int | None = None
    user_agent: str
    properties: dict[str, bool | str]


class _Page(NamedTuple):
    path: str
    title: str
    article: int | None = None


class _Source(NamedTuple):
    """Where a visit comes from. `reads` is whether it leads to an article or to the front page."""

    referrer: str | None
    query: str
    reads: bool


class _Device(NamedTuple):
    user_agent: str
    screen_width: int | None


class _Visitor(NamedTuple):
    visitor_id: str
    user: int | None
    device: _Device
    language: str | None


_HOME = _Page("/", "Demo Garden: tools for balconies")
_SIGNUP = _Page("/signup", "Sign up")
_ARTICLES = {
    _Page(f"/blog/{slug}", title, number): 1 / number
    for number, (slug, title) in enumerate(
        [
            ("tomatoes-in-small-pots", "Tomatoes in small pots"),
            ("when-to-water", "When to water, and when not to"),
            ("bees-on-the-fifth-floor", "Bees on the fifth floor"),
            ("compost-without-a-garden", "Compost without a garden"),
            ("herbs-for-the-shade", "Herbs for the shade"),
            ("winter-on-a-balcony", "Winter on a balcony"),
            ("what-lives-in-the-soil", "What lives in the soil"),
            ("seeds-to-swap", "Seeds to swap in spring"),
            ("a-year-in-pictures", "A year in pictures"),
        ],
        start=1,
    )
}
_OTHER_PAGES = {
    _HOME: 0.5,
    _Page("/pricing", "Pricing"): 0.7,
    _Page("/planner", "The planting planner"): 0.9,
    _Page("/planner/calendar", "Planting calendar"): 0.4,
    _Page("/about", "About us"): 0.2,
    _Page("/contact", "Contact"): 0.1,
    _SIGNUP: 0.35,
}
_PAGES = {**_ARTICLES, **_OTHER_PAGES}

_SOURCES = {
    _Source(None, "", reads=False): 30,
    _Source("https://www.google.com/", "", reads=True): 34,
    _Source("https://www.bing.com/", "", reads=True): 5,
    _Source("https://duckduckgo.com/", "", reads=True): 5,
    _Source("https://www.reddit.com/", "", reads=True): 6,
    _Source("https://news.ycombinator.com/", "", reads=True): 4,
    _Source("https://t.co/", "", reads=True): 3,
    _Source(None, "?utm_source=newsletter&utm_medium=email&utm_campaign=spring", reads=True): 8,
    _Source("https://www.google.com/", "?utm_source=google&utm_medium=cpc&utm_campaign=planner", reads=False): 5,
}
_DEVICES = {
    _Device(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/148.0.0.0 Safari/537.36",
        1920,
    ): 30,
    _Device(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/26.1 Safari/605.1.15",
        1512,
    ): 12,
    _Device("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", 2560): 6,
    _Device("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0", 1366): 6,
    _Device(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/26.1 Mobile/15E148 Safari/604.1",
        393,
    ): 24,
    _Device(
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 "
        "Mobile Safari/537.36",
        412,
    ): 22,
}
_BOTS = {
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": 5,
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": 3,
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)": 2,
}
_LANGUAGES = {"en-US": 40, "en-GB": 15, "de-DE": 15, "fr-FR": 10, "es-ES": 8, "pt-BR": 6, "ja-JP": 6}
_PLANS = {"free": 70, "pro": 25, "team": 5}


def events_between(seed: int, start: datetime, end: datetime) -> list[DemoEvent]:
    """All events from `start` up to before `end`, in the order of their times."""
    first, last = int((start - LONGEST_VISIT).timestamp() // 60), int(end.timestamp() // 60)
    found = [
        event
        for minute in range(first, last + 1)
        for event in _events_of_visits(seed, minute)
        if start <= event.datetime_stamp < end
    ]
    return sorted(found, key=lambda event: event.datetime_stamp)


def visits_per_minute(time: datetime) -> float:
    """How many visits begin on average: most in the afternoon, few at night, fewer at weekends."""
    hour = time.hour + time.minute / 60
    of_day = 1 + 0.7 * math.sin(2 * math.pi * (hour - 9) / 24)
    of_week = 0.7 if time.isoweekday() > 5 else 1.0
    return _VISITS_PER_MINUTE * of_day * of_week


def _events_of_visits(seed: int, minute: int) -> Iterator[DemoEvent]:
    """The events of the visits that begin in a minute, counted from 1970 UTC."""
    begin = datetime.fromtimestamp(minute * 60, UTC)
    chance = random.Random(f"{seed} minute {minute}")  # noqa: S311 - repeatable, not secret
    for number in range(_how_many(chance, visits_per_minute(begin))):
        start = begin + timedelta(milliseconds=chance.randrange(60_000))
        name = f"demo-{seed}-{minute}-{number}"
        if chance.random() < _BOT_SHARE:
            yield from _visit(chance, name, start, _bot(chance), _Source(None, "", reads=True))
        else:
            # Some come often, most seldom.
            person = int(_PERSONS * chance.random() ** 2)
            yield from _visit(chance, name, start, _person(seed, person), _pick(chance, _SOURCES))


def _visit(
    chance: random.Random, name: str, start: datetime, visitor: _Visitor, source: _Source
) -> Iterator[DemoEvent]:
    """One to six pages, and what is done on them."""
    time, referrer, query = start, source.referrer, source.query
    page = _pick(chance, _ARTICLES) if source.reads else _HOME
    for step in range(1 + min(int(chance.expovariate(0.7)), 5)):
        if step:
            time += timedelta(seconds=chance.uniform(4, _LONGEST_PAUSE_SECONDS) * chance.random())
            page, before = _pick(chance, _PAGES), page
            referrer, query = f"https://{SITE}{before.path}", ""
        yield _event(visitor, page, f"{name}-{step}", "pageview", time, referrer, query)
        if page.article is not None and visitor.user is not None:
            view = _event(visitor, page, f"{name}-{step}-view", "view", time + timedelta(seconds=1), referrer, "")
            view.object_type, view.object_id = "user", visitor.user
            view.subject_type, view.subject_id = "article", page.article
            yield view
        if page == _SIGNUP and chance.random() < _SIGNUP_SHARE:
            signup = _event(
                visitor, page, f"{name}-{step}-signup", "signup", time + timedelta(seconds=20), referrer, ""
            )
            signup.properties["plan"] = _pick(chance, _PLANS)
            yield signup


def _event(
    visitor: _Visitor, page: _Page, event_id: str, action: str, time: datetime, referrer: str | None, query: str
) -> DemoEvent:
    return DemoEvent(
        event_id=event_id,
        site=SITE,
        action=action,
        datetime_stamp=time,
        visitor_id=visitor.visitor_id,
        url=f"https://{SITE}{page.path}{query}",
        referrer=referrer,
        title=page.title,
        language=visitor.language,
        screen_width=visitor.device.screen_width,
        user_agent=visitor.device.user_agent,
        properties={"synthetic": True},
    )


def _person(seed: int, number: int) -> _Visitor:
    chance = random.Random(f"{seed} person {number}")  # noqa: S311 - repeatable, not secret
    user = number if chance.random() < _SIGNED_IN_SHARE else None
    return _Visitor(f"demo-visitor-{number}", user, _pick(chance, _DEVICES), _pick(chance, _LANGUAGES))


def _bot(chance: random.Random) -> _Visitor:
    user_agent = _pick(chance, _BOTS)
    return _Visitor(f"demo-bot-{list(_BOTS).index(user_agent)}", None, _Device(user_agent, None), None)


def _pick(chance: random.Random, weights: Mapping[T, float]) -> T:
    return chance.choices(list(weights), list(weights.values()))[0]


def _how_many(chance: random.Random, mean: float) -> int:
    """A Poisson number: so many of the arrivals that come `mean` times a minute fall into one."""
    count, time = 0, chance.expovariate(mean)
    while time < 1:
        count += 1
        time += chance.expovariate(mean)
    return count
