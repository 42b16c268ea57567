"""Which landed rows don't count is found with few columns and few rows, and is what the rule says of all rows."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh import events as refresh_events
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.kept_out import kept_out
from pipelines.refresh.landed_rows import bounds, thin
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.duplicates import PLACE, first_of_each
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON, SITE, raw

DAYS = [DAY + timedelta(days=number) for number in range(4)]

some_rows = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.sampled_from("abc"),
            "site": st.sampled_from([SITE, "other.org"]),
            "occurred_at": st.sampled_from(range(0, 96, 7)).map(lambda hours: NOON + timedelta(hours=hours)),
            "received_at": st.integers(0, 90).map(lambda days: NOON + timedelta(days=days)),
        }
    ),
    max_size=10,
)


@settings(deadline=None, max_examples=60)
@given(some_rows, st.sets(st.sampled_from(DAYS), min_size=1), st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_the_rows_kept_out_are_those_that_do_not_count_among_all(
    rows: list[Mapping[str, Any]], days: set[date], zone: str
) -> None:
    landed, zones = raw(*rows), {"other.org": zone}
    found = kept_out(landed, days, zones).rows()
    everything = thin(landed, zones).collect()
    expected = everything.filter(pl.col("event_date").is_in(sorted(days))).join(
        first_of_each(everything), on=PLACE, how="anti"
    )
    assert sorted(found) == sorted(expected.select(PLACE).rows())


def test_days_begin_where_the_earliest_clock_is_and_end_where_the_latest_is() -> None:
    zones = {"a.example": "Pacific/Auckland", "b.example": "America/New_York"}
    assert bounds([date(2026, 11, 20)], zones) == (
        datetime(2026, 11, 19, 11, tzinfo=UTC),
        datetime(2026, 11, 21, 5, tzinfo=UTC),
    )
    assert bounds([date(2026, 11, 20), date(2026, 11, 22)], {}) == (
        datetime(2026, 11, 20, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize("rows_at_a_time", [1, 3])
def test_a_day_made_in_slices_is_the_day_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    landing = Landing(lake)
    urls = [f"https://example.com/{number % 3}?utm_source=s{number % 2}" for number in range(8)]
    landing.land(*({"event_id": str(number % 5), "url": url} for number, url in enumerate(urls)))
    landing.land({"occurred_at": NOON + timedelta(days=1)}, {"kafka_partition": 1})
    whole = take_in(lake, {})
    rows = open_version(lake, EVENTS).scan().sort(PLACE).collect()
    monkeypatch.setattr(refresh_events, "SLICE", rows_at_a_time)
    assert rebuild(lake, whole.days, {}) == rows.height == 7
    again = open_version(lake, EVENTS)
    assert again.scan().sort(PLACE).collect().equals(rows)
    assert len(again.files(DAY)) > 1
