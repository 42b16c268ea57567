"""How far people come in a funnel."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.funnels import FUNNELS
from sites import Funnel, Goal
from tests.reports.rows import DAY, NOON, SITE, after
from tests.reports.site_settings import settings, site

GOALS = tuple(Goal(name, action=name) for name in "ABC")
FUNNEL = Funnel("Buy", ("A", "B", "C"), window_days=2)


def people(*rows: Mapping[str, Any], funnel: Funnel = FUNNEL) -> list[tuple[int, ...]]:
    """People of each step, by day in their order."""
    plain = {"site": SITE, "date": DAY, "visitor_id": "ann", "occurred_at": NOON}
    numbered = [
        {**plain, "event_id": f"{number:03}", "date": DAY + (row.get("occurred_at", NOON) - NOON), **row}
        for number, row in enumerate(rows)
    ]
    done = pl.LazyFrame(numbered, schema=dict(CONVERSIONS.spec.schema))
    frames = settings(site(*GOALS, funnels=(funnel,)))
    result = FUNNELS.build(done, frames["site_funnels"]).collect(engine="streaming").sort(FUNNELS.spec.key)
    return [tuple(steps["people"]) for _, steps in result.group_by("date", maintain_order=True)]


def at(goal: str, minutes: float, **values: object) -> dict[str, object]:
    return {"goal": goal, "occurred_at": after(minutes), **values}


def test_steps_count_in_their_order() -> None:
    assert people(at("A", 0), at("B", 1), at("C", 2)) == [(1, 1, 1)]
    assert people(at("A", 0), at("C", 1), at("B", 2)) == [(1, 1, 0)]
    assert people(at("B", 0), at("A", 1)) == [(1, 0, 0)]


def test_who_does_not_begin_is_not_counted() -> None:
    assert people(at("B", 0), at("C", 1)) == []


def test_a_step_may_be_done_again_on_the_way() -> None:
    assert people(at("A", 0), at("B", 1), at("A", 2), at("B", 3), at("C", 4)) == [(1, 1, 1)]


def test_the_last_step_counts_within_the_window_of_the_first() -> None:
    two_days = 2 * 24 * 60
    assert people(at("A", 0), at("B", 1), at("C", two_days)) == [(1, 1, 1)]
    assert people(at("A", 0), at("B", 1), at("C", two_days + 1)) == [(1, 1, 0)]


def test_a_person_is_counted_on_each_day_of_a_first_step() -> None:
    day = 24 * 60
    assert people(at("A", 0), at("A", day), at("B", day + 1)) == [(1, 1, 0), (1, 1, 0)]


def test_a_person_is_a_user_wherever_and_else_a_visitor() -> None:
    first, second = {"user_id": "u", "visitor_id": "phone"}, {"user_id": "u", "visitor_id": "desk"}
    assert people(at("A", 0, **first), at("B", 1, **second)) == [(1, 1, 0)]
    assert people(at("A", 0), at("B", 1, visitor_id="bob")) == [(1, 0, 0)]
    assert people(at("A", 0, visitor_id=None), at("B", 1, visitor_id=None)) == []


def test_two_events_at_once_are_two_steps_and_one_event_is_one() -> None:
    twice = Funnel("Twice", ("A", "A"))
    assert people(at("A", 0), at("A", 0), funnel=twice) == [(1, 1)]
    assert people(at("A", 0), funnel=twice) == [(1, 0)]
    assert people(at("A", 0), at("B", 0), at("C", 0)) == [(1, 1, 1)]


def test_the_drop_off_is_the_share_of_the_step_before_that_was_lost() -> None:
    rows = [{**at("A", 0), "visitor_id": who} for who in "abcd"] + [at("B", 1, visitor_id="a")]
    numbered = [{"site": SITE, "date": DAY, "event_id": str(number), **row} for number, row in enumerate(rows)]
    done = pl.LazyFrame(numbered, schema=dict(CONVERSIONS.spec.schema))
    frames = settings(site(*GOALS, funnels=(FUNNEL,)))
    result = FUNNELS.build(done, frames["site_funnels"]).collect().sort("step")
    assert result["goal"].to_list() == ["A", "B", "C"]
    assert result["drop_off"].to_list() == [0.0, 0.75, 1.0]


def test_without_funnels_there_is_nothing() -> None:
    done = pl.LazyFrame([{"site": SITE, "date": DAY, **at("A", 0)}], schema=dict(CONVERSIONS.spec.schema))
    assert FUNNELS.build(done, settings(site(*GOALS))["site_funnels"]).collect().is_empty()
    assert FUNNELS.window.days(DAY)[-1] == DAY + timedelta(days=30)
