"""A log whose listing misses a commit, as that of a folder may while it is written to."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from lake import opening
from lake.errors import LakeAway, LandingConflict
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.opening import again_if_missed, missed_a_commit
from lake.raw import count_landed, open_landed
from lake.raw_schema import TABLE
from tests.lake.test_landing_table import P0, P1, land

COMMITS = 4


class Hidden:
    """A commit that is not listed until it is shown again."""

    def __init__(self, table_uri: str, version: int) -> None:
        self._there = Path(table_uri) / "_delta_log" / f"{version:020}.json"
        self._away = Path(table_uri) / "hidden"
        self._there.rename(self._away)

    def show(self) -> None:
        self._away.rename(self._there)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    writer = DeltaLandingTable(lake)
    writer.landed([P0])
    for number in range(COMMITS):
        land(writer, P0, number, number + 1)
    return lake


@pytest.fixture
def hidden(lake: Lake) -> Hidden:
    return Hidden(lake.table_uri(TABLE), COMMITS - 1)


def pauses(then: Callable[[], None]) -> Callable[[float], None]:
    """A pause that ends with the second of two."""
    left = [lambda: None, then]

    def pause(seconds: float) -> None:
        assert 0 < seconds < 1
        left.pop(0)()

    return pause


def test_a_table_is_opened_once_its_log_is_listed_whole(lake: Lake, hidden: Hidden) -> None:
    uri = lake.table_uri(TABLE)
    table = again_if_missed(lambda: DeltaTable(uri), pauses(hidden.show))
    assert (table.version(), table.count()) == (COMMITS, COMMITS)


def test_a_held_table_follows_once_its_log_is_listed_whole(lake: Lake) -> None:
    table = DeltaTable(lake.table_uri(TABLE), version=1)
    again_if_missed(table.update_incremental, pauses(Hidden(lake.table_uri(TABLE), 3).show))
    assert table.version() == COMMITS


def test_a_log_that_keeps_its_hole_is_said_to_be_damaged(
    lake: Lake, hidden: Hidden, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_PAUSE_SECONDS", 0.001)
    with pytest.raises(LakeAway, match="gap"):
        open_landed(lake)
    hidden.show()
    assert count_landed(lake)["event"] == COMMITS


def test_another_error_is_not_tried_again() -> None:
    asked = []

    def act() -> None:
        asked.append(1)
        raise DeltaError("no disk")

    with pytest.raises(DeltaError, match="no disk"):
        again_if_missed(act, pauses(lambda: None))
    assert len(asked) == 1


def test_a_worker_whose_commit_meets_a_hole_looks_at_the_table_again(lake: Lake) -> None:
    slow, fast = DeltaLandingTable(lake), DeltaLandingTable(lake)
    slow.landed([P1])
    for number in range(3):
        land(fast, P0, COMMITS + number, COMMITS + number + 1)
    hole = Hidden(lake.table_uri(TABLE), COMMITS + 2)
    with pytest.raises(LandingConflict, match="hole"):
        land(slow, P1, 0, 5)
    hole.show()
    assert slow.landed([P1]) == {}
    land(slow, P1, 0, 5)
    assert count_landed(lake)["event"] == COMMITS + 3 + 5


def test_deltalake_still_says_it_in_these_words(tmp_path: Path) -> None:
    uri = str(tmp_path / "table")
    for _ in range(3):
        write_deltalake(uri, pa.table({"number": [1]}), mode="append")
    Hidden(uri, 1)
    with pytest.raises(DeltaError) as caught:
        DeltaTable(uri)
    assert missed_a_commit(caught.value)
