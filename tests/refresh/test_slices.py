"""A large day that is built some visitors at a time is the day that is built at once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.refresh.slices import Slice
from pipelines.refresh.stored import compare_with_rebuild
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.hits import HITS
from pipelines.reports.report import SITE_GOALS
from pipelines.reports.sessions import SESSIONS
from sites import Goal
from tests.refresh.landing import Landing
from tests.reports.generated import some_events
from tests.reports.rows import DAY, after, events
from tests.reports.site_settings import settings as site_settings
from tests.reports.site_settings import site

BY_VISITOR = [report for report in REPORTS if report.by_visitor]
SHOP = site(Goal("Sign up", "signup"), Goal("Any page", page="**"))


def test_the_tables_of_single_events_and_visits_are_by_visitor() -> None:
    assert BY_VISITOR == [SESSIONS, CONVERSIONS, HITS]


@settings(deadline=None, max_examples=20)
@given(some_events, st.integers(2, 5))
def test_parts_together_are_the_whole(rows: list[dict[str, Any]], count: int) -> None:
    tables = {"events": events(*rows), **site_settings(SHOP)}
    for report in BY_VISITOR:
        inputs = [tables[name] for name in report.inputs]
        whole = report.build(*inputs).collect().sort(report.spec.key)
        parts = [[Slice(number, count).of(rows) for rows in inputs] for number in range(count)]
        together = pl.concat([report.build(*part).collect() for part in parts]).sort(report.spec.key)
        assert_frame_equal(together, whole)
        tables[report.name] = whole.lazy()


def test_settings_are_in_every_part() -> None:
    goals = site_settings(SHOP)[SITE_GOALS]
    assert_frame_equal(Slice(1, 3).of(goals), goals)


def test_events_without_visitor_are_spread_over_the_parts() -> None:
    nobody = events(*({"visitor_id": None} for _ in range(100)))
    parts = [Slice(number, 3).of(nobody).collect().height for number in range(3)]
    assert sum(parts) == 100
    assert min(parts) > 10


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    landing = Landing(lake)
    for minutes in range(3):
        landing.land(*({"visitor_id": f"v{who}", "occurred_at": after(minutes)} for who in range(10)))
    landing.land({"occurred_at": after(0) + timedelta(days=1)})
    take_in(lake, {})
    return lake


def test_a_large_day_is_one_commit_of_several_files(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    build(lake, SESSIONS, [DAY])
    at_once = open_version(lake, SESSIONS.spec)
    monkeypatch.setattr("pipelines.refresh.slices.SLICE", 10)
    build(lake, SESSIONS, [DAY], rebuild=True)
    in_parts = open_version(lake, SESSIONS.spec)
    assert in_parts.number == at_once.number + 1
    assert (len(at_once.files(DAY)), len(in_parts.files(DAY))) == (1, 3)
    assert_frame_equal(*(table.scan().sort(SESSIONS.spec.key).collect() for table in (at_once, in_parts)))
    assert in_parts.revision(DAY) == at_once.revision(DAY) + 1


def test_a_large_day_is_compared_with_a_rebuild_in_parts(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.refresh.slices.SLICE", 10)
    build(lake, SESSIONS, [DAY])
    found = compare_with_rebuild(lake, SESSIONS, DAY, ())
    assert found is not None
    assert (found.rows, found.none) == (10, True)
    stored = open_version(lake, SESSIONS.spec)
    assert stored.handle is not None
    stored.handle.delete("visitor_id = 'v3'")
    stored.handle.update({"events": "events + 1"}, predicate="visitor_id = 'v7'")
    found = compare_with_rebuild(lake, SESSIONS, DAY, ())
    assert found is not None
    assert (found.rows, found.added, found.removed, found.changed, found.columns) == (9, 1, 0, 1, ("events",))
