"""The books of a refresh: they balance, and a loss or an invention shows."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.events_table import EventsTable
from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_version import DEFINITION, INPUTS, Origin, open_version
from pipelines.refresh.balance import Balance, RepeatedKeys, TrafficBalance, balance, repeated_keys, traffic_balance
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, GOOGLEBOT, NOON, SITE, after

NEXT_DAY = DAY + timedelta(days=1)
TOMORROW_NOON = NOON + timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two events and a duplicate on one day, a bot and a duplicate of the day before on the next; one not taken in."""
    lake = Lake(str(tmp_path / "lake"))
    landing = Landing(lake)
    landing.land({"event_id": "a"}, {"event_id": "a", "received_at": after(1)}, {"event_id": "b"})
    landing.land({"event_id": "a", "occurred_at": TOMORROW_NOON, "received_at": after(2)})
    landing.land({"event_id": "c", "occurred_at": TOMORROW_NOON, "user_agent": GOOGLEBOT, "action": "play"})
    take_in(lake, {})
    landing.land({})
    return lake


def test_every_landed_event_is_counted_or_a_duplicate(lake: Lake) -> None:
    assert balance(lake, [DAY], {}) == Balance(landed=3, counted=2, duplicates=1, lost=0, invented=0)
    assert balance(lake, [NEXT_DAY], {}) == Balance(landed=2, counted=1, duplicates=1, lost=0, invented=0)
    assert balance(lake, [DAY, NEXT_DAY], {}).holds


def test_a_lost_event_shows(lake: Lake) -> None:
    table = EventsTable(lake, EVENTS)
    seen = table.read()
    table.replace_days(seen, [DAY], seen.scan([DAY]).filter(pl.col("event_id") != "b").collect())
    assert balance(lake, [DAY], {}) == Balance(landed=3, counted=1, duplicates=1, lost=1, invented=0)


def test_an_invented_event_shows(lake: Lake) -> None:
    table = EventsTable(lake, EVENTS)
    seen = table.read()
    rows = seen.scan([DAY]).collect()
    invented = rows.head(1).with_columns(kafka_offset=pl.lit(999, pl.Int64), event_id=pl.lit("x"))
    table.replace_days(seen, [DAY], pl.concat([rows, invented]))
    assert not balance(lake, [DAY], {}).holds
    assert balance(lake, [DAY], {}).invented == 1


def test_a_changed_time_zone_loses_nothing(lake: Lake) -> None:
    assert balance(lake, [DAY, NEXT_DAY], {SITE: "Pacific/Auckland"}).holds


def test_a_repeated_key_shows(lake: Lake) -> None:
    assert repeated_keys(open_version(lake, EVENTS), [DAY, NEXT_DAY]) == RepeatedKeys({}, nth=1)
    table = EventsTable(lake, EVENTS)
    seen = table.read()
    rows = seen.scan([DAY]).collect()
    table.replace_days(seen, [DAY], pl.concat([rows, rows.head(1)]))
    assert repeated_keys(open_version(lake, EVENTS), [DAY]) == RepeatedKeys({(SITE, DAY): 1}, nth=1)


def test_traffic_counts_every_event_once(lake: Lake) -> None:
    for report in (SESSIONS, TRAFFIC):
        build(lake, report, [DAY, NEXT_DAY])
    assert traffic_balance(lake, [DAY, NEXT_DAY]) == TrafficBalance(in_traffic=(3, 2), in_events=(3, 2))
    table = ReportTable(lake, TRAFFIC.spec)
    seen = table.read()
    origin = Origin(seen.recorded(INPUTS)[DAY], seen.recorded(DEFINITION)[DAY])
    table.replace(seen, {DAY: origin}, seen.scan([DAY]).with_columns(events=pl.lit(7, pl.Int64)).collect())
    assert not traffic_balance(lake, [DAY]).holds


def test_of_a_large_day_a_part_is_looked_at_and_over_some_versions_all_of_it(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    landing = Landing(lake)
    landing.land(*({"event_id": str(number)} for number in range(100)), {"event_id": "7", "received_at": after(1)})
    take_in(lake, {})
    table = EventsTable(lake, EVENTS)
    rows = table.read().scan().collect()
    table.replace_days(table.read(), [DAY], pl.concat([rows.filter(pl.col("event_id") != "42"), rows.head(1)]))
    found, lost, repeated = 0, 0, 0
    for _ in range(4):
        books = balance(lake, [DAY], {}, most=25)
        assert books.nth == 4
        assert books.landed < 60
        found += books.landed
        lost += books.lost
        repeated += repeated_keys(table.read(), [DAY], most=25).count
        # Another version of the same rows: another quarter's turn.
        seen = table.read()
        table.replace_days(seen, [DAY], seen.scan([DAY]).collect())
    assert (found, lost, repeated) == (101, 1, 1)
