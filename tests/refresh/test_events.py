"""Taking in what was landed: each event counts once (G3), and little by little equals a rebuild (G4)."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.errors import TableConflict
from lake.events_table import EventsTable, taken_in
from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import TakenIn, rebuild, take_in, waiting_days
from pipelines.reports.clean_events import EVENTS
from tests.refresh.landing import STREAM, Landing
from tests.reports.rows import DAY, NOON, SITE, after

NEXT_DAY = DAY + timedelta(days=1)
TOMORROW_NOON = NOON + timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    return Landing(lake)


def rows(lake: Lake) -> pl.DataFrame:
    return open_version(lake, EVENTS).scan().sort(EVENTS.key).collect()


def places(lake: Lake) -> list[tuple[int, int]]:
    return sorted(rows(lake).select("kafka_partition", "kafka_offset").iter_rows())


def test_nothing_landed_is_nothing_taken_in(lake: Lake) -> None:
    assert take_in(lake, {}) == TakenIn()
    assert rows(lake).is_empty()


def test_what_was_landed_is_taken_in_once(lake: Lake, landing: Landing) -> None:
    landing.land({}, {"occurred_at": TOMORROW_NOON}, {"kafka_partition": 1})
    assert take_in(lake, {}) == TakenIn(frozenset({DAY, NEXT_DAY}), landed=3, added=3)
    assert take_in(lake, {}) == TakenIn()
    landing.land({"kafka_partition": 1})
    assert take_in(lake, {}) == TakenIn(frozenset({DAY}), landed=1, added=1)
    assert places(lake) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_day_begins_at_the_sites_midnight(lake: Lake, landing: Landing) -> None:
    landing.land({"occurred_at": NOON + timedelta(hours=11, minutes=30)})
    assert take_in(lake, {SITE: "Europe/Berlin"}).days == {NEXT_DAY}


def test_a_duplicate_is_counted_as_one_and_touches_no_day(lake: Lake, landing: Landing) -> None:
    landing.land({"event_id": "a"}, {"event_id": "a"})
    take_in(lake, {})
    landing.land({"event_id": "a", "received_at": after(5)})
    taken = take_in(lake, {})
    assert (taken.days, taken.landed, taken.duplicates) == (frozenset(), 1, 1)
    assert places(lake) == [(0, 0)]
    assert open_version(lake, EVENTS).revision(DAY) == 1


def test_a_late_row_that_was_received_earlier_takes_the_place_of_the_one_that_counted(
    lake: Lake, landing: Landing
) -> None:
    landing.land({"event_id": "a", "received_at": after(5)}, {"event_id": "b"})
    take_in(lake, {})
    landing.land({"event_id": "a", "received_at": after(1)}, {"event_id": "c", "occurred_at": TOMORROW_NOON})
    assert take_in(lake, {}) == TakenIn(frozenset({DAY, NEXT_DAY}), landed=2, added=1)
    assert places(lake) == [(0, 1), (0, 2), (0, 3)]


def test_a_row_that_was_kept_out_counts_when_its_keeper_is_displaced(lake: Lake, landing: Landing) -> None:
    """The third is a duplicate of the first by its day; the second, which comes last, is none of them."""
    landing.land({"event_id": "a", "received_at": NOON + timedelta(days=20)})
    landing.land({"event_id": "a", "received_at": NOON + timedelta(days=40)})
    take_in(lake, {})
    assert places(lake) == [(0, 0)]
    landing.land({"event_id": "a", "occurred_at": NOON - timedelta(days=1), "received_at": NOON})
    take_in(lake, {})
    assert places(lake) == [(0, 1), (0, 2)]


def test_a_large_backlog_is_taken_in_step_by_step(lake: Lake, landing: Landing) -> None:
    landing.land(*({"kafka_partition": number % 3} for number in range(100)))
    assert take_in(lake, {}, step=9) == TakenIn(frozenset({DAY}), landed=100, added=100)
    assert open_version(lake, EVENTS).revision(DAY) == 12
    assert rows(lake).height == 100


def test_dead_letters_move_the_progress_and_add_nothing(lake: Lake, landing: Landing) -> None:
    landing.land({"kind": "dead_letter"}, {})
    assert take_in(lake, {}) == TakenIn(frozenset({DAY}), landed=1, added=1)
    landing.land({"kind": "dead_letter"})
    assert waiting_days(lake, open_version(lake, EVENTS), {}) == set()
    take_in(lake, {})
    seen = open_version(lake, EVENTS)
    assert taken_in(seen) == {(STREAM, 0): 3}


def test_the_days_that_wait_are_known_beforehand(lake: Lake, landing: Landing) -> None:
    landing.land({}, {"occurred_at": TOMORROW_NOON}, {"occurred_at": TOMORROW_NOON})
    assert waiting_days(lake, open_version(lake, EVENTS), {}) == {DAY, NEXT_DAY}


def test_a_rebuild_leaves_what_was_not_taken_in_to_the_next_refresh(lake: Lake, landing: Landing) -> None:
    landing.land({})
    take_in(lake, {})
    landing.land({}, {})
    assert rebuild(lake, [DAY], {}) == 1
    assert taken_in(open_version(lake, EVENTS)) == {(STREAM, 0): 1}
    assert take_in(lake, {}).added == 2
    assert places(lake) == [(0, 0), (0, 1), (0, 2)]


def test_a_rebuild_of_a_day_changes_no_other(lake: Lake, landing: Landing) -> None:
    landing.land({}, {"occurred_at": TOMORROW_NOON})
    take_in(lake, {})
    rebuild(lake, [DAY], {})
    seen = open_version(lake, EVENTS)
    assert (seen.revision(DAY), seen.revision(NEXT_DAY)) == (2, 1)


def test_a_rebuild_mends_what_a_better_time_zone_moves(lake: Lake, landing: Landing) -> None:
    landing.land({"occurred_at": NOON + timedelta(hours=11, minutes=30)})
    take_in(lake, {})
    rebuild(lake, [DAY, NEXT_DAY], {SITE: "Europe/Berlin"})
    assert rows(lake)["event_date"].to_list() == [NEXT_DAY]


def test_of_two_refreshes_at_once_both_end_right(lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second takes everything in between the first one's reading and its commit."""
    landing.land({}, {})
    append = EventsTable.append
    overtaken: list[bool] = []

    def overtaken_append(table: EventsTable, *change: Any) -> None:
        if not overtaken:
            overtaken.append(True)
            take_in(lake, {})
        append(table, *change)

    monkeypatch.setattr(EventsTable, "append", overtaken_append)
    assert take_in(lake, {}).added == 0
    assert places(lake) == [(0, 0), (0, 1)]


def test_a_refresh_that_is_overtaken_for_ever_gives_up(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land({})

    def overtaken(*_: Any) -> None:
        raise TableConflict

    monkeypatch.setattr(EventsTable, "append", overtaken)
    with pytest.raises(TableConflict):
        take_in(lake, {})


def test_a_crash_before_the_commit_leaves_nothing_behind(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land({}, {"occurred_at": TOMORROW_NOON})

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EventsTable, "append", crash)
        with pytest.raises(KeyboardInterrupt):
            take_in(lake, {})
    assert rows(lake).is_empty()
    assert take_in(lake, {}).added == 2


def test_only_days_with_a_duplicate_are_read_whole(lake: Lake, landing: Landing) -> None:
    """Rows of other days that were received long ago are not even looked at."""
    landing.land({"occurred_at": NOON - timedelta(days=90), "received_at": NOON - timedelta(days=90)}, {})
    take_in(lake, {})
    for file in Path(lake.table_uri("events")).glob(f"event_date={DAY - timedelta(days=90)}/*.parquet"):
        file.unlink()
    landing.land({})
    assert take_in(lake, {}).added == 1


SOME_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.sampled_from("abc"),
            "kafka_partition": st.integers(0, 1),
            "day": st.integers(0, 3),
            "received": st.integers(0, 90),
        }
    ),
    min_size=1,
    max_size=8,
)


def _landed(drawn: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event_id": drawn["event_id"],
        "kafka_partition": drawn["kafka_partition"],
        "occurred_at": NOON + timedelta(days=drawn["day"]),
        "received_at": NOON + timedelta(days=drawn["received"]),
    }


@settings(max_examples=20, deadline=None)
@given(drawn=SOME_ROWS, seed=st.integers(0, 1000))
def test_little_by_little_equals_a_rebuild(drawn: list[Mapping[str, Any]], seed: int) -> None:
    """Random rows, landed and taken in at random moments, with rebuilds of single days between."""
    random = Random(seed)
    with TemporaryDirectory() as folder:
        lake = Lake(f"{folder}/lake")
        landing = Landing(lake)
        for row in drawn:
            landing.land(_landed(row))
            if random.random() < 0.5:
                take_in(lake, {}, step=random.choice([1, 2, 100]))
            if random.random() < 0.2:
                rebuild(lake, [DAY + timedelta(days=random.randrange(4))], {})
        taken = take_in(lake, {})
        little_by_little = rows(lake)
        days = [DAY + timedelta(days=number) for number in range(4)]
        assert rebuild(lake, days, {}, step=random.choice([1, 100])) == little_by_little.height
        assert_frame_equal(rows(lake), little_by_little)
        assert taken.landed <= len(drawn)
