"""Readers of the newest events see them at once, and nothing else."""

from datetime import timedelta
from pathlib import Path

from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.recent_events import RecentEvents
from tests.lake.landing import NOON, land


def test_events_of_the_last_minutes_are_seen_within_a_second(tmp_path: Path) -> None:
    lake, seconds = Lake(str(tmp_path)), 0.0
    recent = RecentEvents(lake, lambda: seconds)
    since = NOON - timedelta(minutes=30)
    assert recent.since(since).collect().is_empty()
    writer = DeltaLandingTable(lake)
    land(writer, 0, NOON - timedelta(days=1))
    land(writer, 10, NOON)
    seconds = 1.0
    rows = recent.since(since).collect()
    assert rows["kafka_offset"].sort().to_list() == list(range(10, 19))
    assert {"event_id", "url", "properties", "landed_at"} <= set(rows.columns)


def test_the_table_is_opened_once_a_second(tmp_path: Path) -> None:
    lake, seconds = Lake(str(tmp_path)), 0.0
    recent = RecentEvents(lake, lambda: seconds)
    writer = DeltaLandingTable(lake)
    land(writer, 0, NOON)
    assert recent.since(NOON).collect().height == 9
    land(writer, 10, NOON)
    seconds = 0.9
    assert recent.since(NOON).collect().height == 9
    seconds = 1.0
    assert recent.since(NOON).collect().height == 18
