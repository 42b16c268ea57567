"""Tables of windows, goals and days of landing, built little by little, are what a rebuild makes of them (G4)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.events_table import taken_in
from lake.location import Lake
from lake.raw_schema import EVENT
from lake.retention import expire
from lake.table_version import open_version
from pipelines.refresh.behind import days_behind
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.inputs import Opened
from pipelines.refresh.reports import build, stale_partitions
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.funnels import FUNNELS
from pipelines.reports.people_weekly import PEOPLE_WEEKLY
from pipelines.reports.quality import QUALITY
from pipelines.reports.retention import RETENTION
from pipelines.reports.visitors import VISITORS_MONTHLY
from sites import Funnel, Goal, Site
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON, SITE
from tests.reports.site_settings import site

MONDAY = date(2026, 11, 16)
SHOP = site(
    Goal("basket", page="/basket"), Goal("sale", action="sale"), funnels=(Funnel("buy", ("basket", "sale"), 10),)
)
SITES = [SHOP]

Row = Mapping[str, Any]


def refresh(lake: Lake, only: Iterable[date] | None = None, sites: Sequence[Site] = SITES) -> None:
    """What the sensor would ask for, or some of it."""
    behind = days_behind(lake, REPORTS, sites)
    days = behind if only is None else behind & {*only}
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, days, sites=sites)


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    return {report.name: open_version(lake, report.spec).scan().sort(report.spec.key).collect() for report in REPORTS}


def on(day: int, who: str = "ann", **values: object) -> dict[str, object]:
    """A landed event so many days after DAY, landed that day and received at an instant of its own."""
    at = NOON + timedelta(days=day)
    return {"occurred_at": at, "received_at": at, "landed_date": at.date(), "visitor_id": who, **values}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    return Landing(lake)


def stale(lake: Lake, sites: Sequence[Site] = SITES) -> dict[str, set[date]]:
    found = {report.name: {*stale_partitions(report, Opened(lake, sites)).all} for report in REPORTS}
    return {name: partitions for name, partitions in found.items() if partitions}


def test_a_day_costs_its_own_windows_and_no_others(lake: Lake, landing: Landing) -> None:
    landing.land(on(-40, url=f"https://{SITE}/basket"), on(-5, url=f"https://{SITE}/basket"), on(0))
    refresh(lake)
    refresh(lake)
    assert stale(lake) == {}
    landing.land(on(0, action="sale"))
    take_in(lake, {})
    asked = {report.name: build(lake, report, [DAY], sites=SITES) for report in REPORTS}
    assert asked[PEOPLE_WEEKLY.name] == {MONDAY}
    assert asked[RETENTION.name] == {MONDAY}
    assert asked[VISITORS_MONTHLY.name] == {date(2026, 11, 1)}
    assert asked[FUNNELS.name] == {DAY - timedelta(days=5), DAY}
    assert asked[CONVERSIONS.name] == {DAY}
    assert stale(lake) == {}
    reached = open_version(lake, FUNNELS.spec).scan().filter(pl.col("step") == 2).sort("date").collect()
    assert reached.select("date", "people").rows() == [(DAY - timedelta(days=40), 0), (DAY - timedelta(days=5), 1)]


def test_a_stale_week_is_named_by_its_latest_day_with_events(lake: Lake, landing: Landing) -> None:
    landing.land(on(-4), on(-2), on(0))
    refresh(lake)
    for report in REPORTS:
        if report is not PEOPLE_WEEKLY:
            build(lake, report, None, sites=SITES)
    build(lake, PEOPLE_WEEKLY, [DAY], rebuild=True)
    assert set(stale(lake)) == {RETENTION.name}
    assert days_behind(lake, REPORTS, SITES) == {DAY}


def test_another_goal_reaches_back_to_the_first_day(lake: Lake, landing: Landing) -> None:
    landing.land(on(-300, action="signup"), on(0, action="sale"), on(0, action="signup"))
    refresh(lake)
    more = [site(*SHOP.goals, Goal("signup", action="signup"), funnels=SHOP.funnels)]
    assert set(stale(lake, more)) == {CONVERSIONS.name}
    refresh(lake, sites=more)
    assert stale(lake, more) == {}
    goals = tables(lake)["goals"].select("date", "goal", "conversions").rows()
    assert goals == [(DAY - timedelta(days=300), "signup", 1), (DAY, "sale", 1), (DAY, "signup", 1)]


def test_a_week_is_built_by_one_run_of_many_days(lake: Lake, landing: Landing) -> None:
    landing.land(*(on(day) for day in range(-20, 1)))
    take_in(lake, {})
    days = [DAY + timedelta(days=day) for day in range(-20, 1)]
    for report in REPORTS:
        build(lake, report, days, sites=SITES)
    assert open_version(lake, PEOPLE_WEEKLY.spec).revisions == dict.fromkeys(
        (MONDAY - timedelta(weeks=week) for week in range(4)), 1
    )


def test_a_landing_day_is_stale_when_raw_rows_come_or_go(lake: Lake, landing: Landing) -> None:
    landing.land(on(0), on(-3, landed_date=DAY))
    refresh(lake)
    assert stale(lake) == {}
    landing.land({"kind": "dead_letter", "reason": "not_json", "landed_date": DAY})
    assert stale(lake) == {QUALITY.name: {DAY}, "dead_letters_daily": {DAY}}
    refresh(lake)
    assert tables(lake)["quality"].select("landed", "late", "dead_letters").rows() == [(2, 1, 1)]
    expire(lake, EVENT, DAY + timedelta(days=1), taken_in=taken_in(open_version(lake, EVENTS)), now=later())
    assert stale(lake) == {}
    build(lake, QUALITY, [DAY], rebuild=True)
    assert tables(lake)["quality"]["landed"].to_list() == [2]


def later() -> datetime:
    return NOON + timedelta(days=9)


event = st.fixed_dictionaries(
    {
        "day": st.sampled_from([-380, -31, -30, -9, -6, -5, -1, 0, 1]),
        "visitor_id": st.sampled_from(["ann", "bob", "0123456789abcdef0123456789abcdef", None]),
        "user_id": st.sampled_from(["u", None, None]),
        "action": st.sampled_from(["pageview", "sale"]),
        "url": st.sampled_from([f"https://{SITE}/basket", f"https://{SITE}/"]),
        "id": st.integers(0, 8),
        "kind": st.sampled_from(["event", "event", "event", "dead_letter"]),
        "landed": st.sampled_from([0, 1]),
    }
)


def landed_row(number: int, drawn: Mapping[str, Any]) -> Row:
    return {
        "kind": drawn["kind"],
        "occurred_at": NOON + timedelta(days=drawn["day"], minutes=number),
        # No two at once, so that it does not matter which of two duplicates is landed first.
        "received_at": NOON + timedelta(minutes=number),
        "landed_date": DAY + timedelta(days=drawn["landed"]),
        "event_id": f"{drawn['id']}",
        "reason": "not_json" if drawn["kind"] == "dead_letter" else None,
        **{name: drawn[name] for name in ("visitor_id", "user_id", "action", "url")},
    }


def assert_little_by_little_is_a_rebuild(batches: Sequence[Sequence[Row]], random: Random) -> None:
    with TemporaryDirectory() as folder:
        lake, other = Lake(f"{folder}/one/lake"), Lake(f"{folder}/other/lake")
        landing = Landing(lake)
        for batch in batches:
            landing.land(*batch)
            behind = sorted(days_behind(lake, REPORTS, SITES))
            refresh(lake, random.sample(behind, random.randint(0, len(behind))))
        # A week is refreshed by one of its days, and then what is built from it.
        for _ in range(4):
            refresh(lake)
        assert stale(lake) == {}
        little_by_little = tables(lake)
        everything = [row for batch in batches for row in batch]
        random.shuffle(everything)
        Landing(other).land(*everything)
        refresh(other)
        refresh(other)
        for name, rows in tables(other).items():
            assert_frame_equal(rows, little_by_little[name])
        rebuild(lake, open_version(lake, EVENTS).revisions, {})
        for report in REPORTS:
            build(lake, report, None, rebuild=True, sites=SITES)
        for name, rows in tables(lake).items():
            assert_frame_equal(rows, little_by_little[name])


def test_some_days_in_any_order_are_what_a_rebuild_makes() -> None:
    days = [-30, -380, 0, -9, 1, -31, -5, -1]
    drawn = [
        {"day": day, "visitor_id": "ann", "user_id": None, "action": ("pageview", "sale")[number % 2],
         "url": f"https://{SITE}/basket", "id": number % 6, "kind": "event", "landed": number % 2}
        for number, day in enumerate(days)
    ]  # fmt: skip
    rows = [landed_row(number, each) for number, each in enumerate(drawn)]
    assert_little_by_little_is_a_rebuild([rows[:3], rows[3:6], rows[6:]], Random(1))


@pytest.mark.slow
@settings(deadline=None, max_examples=5)
@given(st.lists(st.lists(event, min_size=1, max_size=8), min_size=1, max_size=4), st.integers(0, 2**32))
def test_any_days_in_any_order_are_what_a_rebuild_makes(drawn: list[list[Mapping[str, Any]]], seed: int) -> None:
    numbers = iter(range(1_000))
    batches = [[landed_row(next(numbers), each) for each in batch] for batch in drawn]
    assert_little_by_little_is_a_rebuild(batches, Random(seed))
