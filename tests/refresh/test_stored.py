"""A table that is not what a rebuild would make of its inputs shows, whatever is wrong with it."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.location import Lake
from pipelines.refresh.events import take_in
from pipelines.refresh.inputs import Opened
from pipelines.refresh.reports import build
from pipelines.refresh.stored import Difference, compare_with_rebuild, difference
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.pages import PAGES
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, after

KEY = ("site", "page")


def frame(**rows: tuple[int | None, float]) -> pl.DataFrame:
    values = [("a", page, views, share) for page, (views, share) in rows.items()]
    return pl.DataFrame(values, ["site", "page", "views", "share"], orient="row")


def test_equal_rows_in_any_order_are_no_difference() -> None:
    stored = frame(x=(1, 0.1 + 0.2), y=(None, 1.0))
    assert difference(stored, frame(y=(None, 1.0), x=(1, 0.3)), KEY) == Difference(rows=2)


def test_each_kind_of_difference_is_counted_and_columns_are_named() -> None:
    stored = frame(x=(1, 0.5), y=(2, 0.5), z=(3, 0.5), gone=(4, 0.5))
    rebuilt = frame(x=(1, 0.5), y=(None, 0.5), z=(4, 0.6), new=(5, 0.5), newer=(6, 0.5))
    assert difference(stored, rebuilt, KEY) == Difference(4, added=2, removed=1, changed=2, columns=("views", "share"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    landing = Landing(lake)
    landing.land(*({"visitor_id": who, "url": f"https://example.com/{who}"} for who in ("ann", "bob", "eve")))
    landing.land({"visitor_id": "ann", "occurred_at": after(5), "url": "https://example.com/"})
    landing.land({"kind": "dead_letter", "reason": "not_json"})
    take_in(lake, {})
    for report in REPORTS:
        build(lake, report, [DAY])
    return lake


def test_what_was_built_is_what_a_rebuild_makes(lake: Lake) -> None:
    for report in REPORTS:
        found = compare_with_rebuild(lake, report, DAY, ())
        assert found is not None
        assert found.none, (report.name, found)


def test_a_table_that_somebody_changed_is_found_out(lake: Lake) -> None:
    stored = Opened(lake).table(PAGES.spec)
    assert stored.handle is not None
    stored.handle.update({"pageviews": "pageviews + 1"}, predicate="path = '/bob'")
    assert compare_with_rebuild(lake, PAGES, DAY, ()) == Difference(4, changed=1, columns=("pageviews",))
    stored.handle.delete("path = '/bob'")
    assert compare_with_rebuild(lake, PAGES, DAY, ()) == Difference(3, added=1)


def test_a_stale_day_is_not_compared(lake: Lake) -> None:
    assert compare_with_rebuild(lake, PAGES, DAY + timedelta(days=1), ()) is None
    Landing(lake).land({"kafka_partition": 1})
    take_in(lake, {})
    assert compare_with_rebuild(lake, PAGES, DAY, ()) is None
