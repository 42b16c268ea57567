"""Which events reach a goal, and what the day's goals come to."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.goals import GOALS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from sites import Goal, Site
from tests.reports.rows import after, built, events, table
from tests.reports.site_settings import settings, site

SIGNUP = Goal("Signup", action="signup")
THANKS = Goal("Thanks", page="/thanks")


def conversions(*rows: Mapping[str, Any], sites: tuple[Site, ...] = (site(SIGNUP, THANKS),)) -> pl.DataFrame:
    clean = events(*rows)
    return built(CONVERSIONS, events=clean, sessions=SESSIONS.build(clean), **settings(*sites))


def reached(*rows: Mapping[str, Any], sites: tuple[Site, ...] = (site(SIGNUP, THANKS),)) -> list[tuple[str, str]]:
    return conversions(*rows, sites=sites).select("goal", "event_id").rows()


def test_an_action_and_a_view_of_a_page_reach_their_goals() -> None:
    rows: list[dict[str, str]] = [
        {},
        {"action": "signup"},
        {"path": "/thanks"},
        {"action": "signup", "path": "/thanks"},
    ]
    assert reached(*rows) == [("Signup", "event 0001"), ("Signup", "event 0003"), ("Thanks", "event 0002")]


def test_bots_reach_no_goal() -> None:
    seen_as_bot = {"visitor_id": "crawler", "is_bot": True, "action": "other"}
    assert (
        reached({"action": "signup", "is_bot": True}, {"action": "signup", "visitor_id": "crawler"}, seen_as_bot) == []
    )


def test_visitors_who_are_not_told_apart_reach_goals_too() -> None:
    assert reached({"action": "signup", "visitor_id": None}) == [("Signup", "event 0000")]


def test_a_goal_is_that_of_its_site() -> None:
    rows = ({"action": "signup", "site": "other.org"}, {"action": "buy", "site": "other.org"}, {"action": "buy"})
    assert reached(*rows, sites=(site(SIGNUP), site(Goal("Buy", action="buy"), domain="other.org"))) == [
        ("Buy", "event 0001")
    ]


@pytest.mark.parametrize("page", ["/", "/shop/*", "/shop/**", "/shop/*/buy", "**", "*", "/a.b", "/ä (1)+*", "/**/end"])
def test_a_star_is_any_part_without_a_slash_and_two_are_anything(page: str) -> None:
    paths = ["/", "/shop/", "/shop/a", "/shop/a/buy", "/shop/a/b", "/a.b", "/aXb", "/ä (1)+", "/ä (1)+2", "/x/y/end"]
    by_star = {
        "/": ["/"],
        "/shop/*": ["/shop/", "/shop/a"],
        "/shop/*/buy": ["/shop/a/buy"],
        "*": [],
        "/ä (1)+*": ["/ä (1)+", "/ä (1)+2"],
    }
    expected = by_star.get(page, [path for path in paths if fnmatchcase(path, page.replace("**", "*"))])
    found = conversions(*({"path": path} for path in paths), sites=(site(Goal("Page", page=page)),))
    assert found["path"].to_list() == expected


def test_a_page_that_is_not_named_reaches_no_page_goal() -> None:
    assert reached({"path": None}, sites=(site(Goal("Any", page="**")),)) == []


@pytest.mark.parametrize(
    ("properties", "fits"),
    [
        ('{"plan":"pro","seats":5}', True),
        ('{"seats":5,"plan":"pro","more":null}', True),
        ('{"plan":"pro","seats":"5"}', True),
        ('{"plan":"pro","seats":6}', False),
        ('{"plan":"pro"}', False),
        ('{"plan":null,"seats":5}', False),
        (None, False),
    ],
)
def test_wanted_properties_are_all_there_and_equal_as_texts(properties: str | None, fits: bool) -> None:
    goal = Goal("Pro", action="signup", properties=(("plan", "pro"), ("seats", "5")))
    row = {"action": "signup", "properties": properties}
    assert reached(row, sites=(site(goal, SIGNUP),)) == [*([("Pro", "event 0000")] * fits), ("Signup", "event 0000")]


def test_a_property_may_have_any_name() -> None:
    goal = Goal("Odd", action="signup", properties=(("a 'b'].*$", "x"), ("is on", "true")))
    properties = '{"a \'b\'].*$":"x","is on":true}'
    assert reached({"action": "signup", "properties": properties}, sites=(site(goal),)) == [("Odd", "event 0000")]


def test_source_and_channel_are_those_of_the_visit() -> None:
    found = conversions(
        {"source": "Google", "channel": "Organic Search"},
        {"action": "signup", "occurred_at": after(5)},
        {"action": "signup", "occurred_at": after(60)},
        {"action": "signup", "occurred_at": after(61), "visitor_id": None, "source": "Bing", "channel": "Paid Search"},
    )
    assert found["source"].to_list() == ["Google", "Direct / None", "Bing"]
    assert found["channel"].to_list() == ["Organic Search", "Direct", "Paid Search"]


def test_without_goals_there_is_nothing() -> None:
    assert conversions({"action": "signup"}, sites=(site(),)).is_empty()


def test_the_rate_is_the_share_of_the_days_visitors() -> None:
    clean = events(
        {"action": "signup"}, {"action": "signup"}, {"visitor_id": "bob"}, {"visitor_id": "eve", "path": "/thanks"},
        {"visitor_id": None, "action": "signup"}, {"visitor_id": "crawler", "is_bot": True},
    )  # fmt: skip
    sessions = SESSIONS.build(clean).collect().lazy()
    reached = built(CONVERSIONS, events=clean, sessions=sessions, **settings(site(SIGNUP, THANKS)))
    traffic = built(TRAFFIC, events=clean, sessions=sessions)
    result = built(GOALS, conversions=reached.lazy(), traffic=traffic.lazy())
    expected = table(
        GOALS,
        {"goal": "Signup", "conversions": 3, "visitors": 1, "site_visitors": 3, "rate": 1 / 3},
        {"goal": "Thanks", "conversions": 1, "visitors": 1, "site_visitors": 3, "rate": 1 / 3},
    )
    assert_frame_equal(result, expected)
