"""What expires is recorded first, is never missing in the audit, and takes nothing from `events`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.audit import audit
from lake.erasure import Wanted
from lake.events_table import taken_in
from lake.location import Lake
from lake.raw import scan_dead_letters, scan_raw_events
from lake.raw_schema import DEAD_LETTER, EVENT
from lake.removals import record
from lake.retention import Expired, expire
from lake.table_version import open_version
from pipelines.refresh.balance import balance
from pipelines.refresh.behind import days_behind
from pipelines.refresh.errors import RawEventsExpired
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.expired import first_whole_day
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from tests.refresh.landing import Landing
from tests.refresh.test_erasure import WHO, dead_letter, erased, refresh, visit
from tests.refresh.traces import traces
from tests.reports.rows import DAY, NOON

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS = [DAY + timedelta(days=number) for number in range(4)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    """A visit of WHO and one of somebody else on each of four days, and a dead letter."""
    landing = Landing(lake)
    for number, day in enumerate(DAYS):
        then = {"landed_date": day, "landed_at": NOON + timedelta(days=number)}
        at = {"occurred_at": NOON + timedelta(days=number), "received_at": NOON + timedelta(days=number)}
        landing.land(visit(WHO, **then, **at), visit("other", **then, **at), dead_letter(WHO.encode(), **then))
    refresh(lake)
    return landing


def expire_events(lake: Lake, before: int) -> Expired:
    return expire(lake, EVENT, DAYS[before], taken_in=taken_in(open_version(lake, EVENTS)), now=NOW)


def removed(lake: Lake) -> int:
    result = audit(lake)
    assert result.exact, result
    return sum(partition.removed for partition in result.partitions)


def test_each_kind_expires_by_itself_and_events_keeps_its_rows(lake: Lake, landing: Landing) -> None:
    assert expire_events(lake, 2) == Expired(rows=4, days=2, days_kept=0)
    assert (scan_raw_events(lake).collect().height, scan_dead_letters(lake).collect().height) == (4, 4)
    assert removed(lake) == 4
    assert expire(lake, DEAD_LETTER, DAYS[3], taken_in={}, now=NOW) == Expired(rows=3, days=3, days_kept=0)
    assert removed(lake) == 7
    assert open_version(lake, EVENTS).scan().collect().height == 8
    assert days_behind(lake, REPORTS, {}) == set()
    assert balance(lake, DAYS, {}).holds
    assert not list((Path(lake.uri) / "landed" / "kind=event" / f"landed_date={DAYS[0]}").glob("*.parquet"))


def test_nothing_expires_twice(lake: Lake, landing: Landing) -> None:
    expire_events(lake, 2)
    assert expire_events(lake, 2) == Expired(rows=0, days=0, days_kept=0)
    assert removed(lake) == 4


def test_an_empty_lake_has_nothing_to_expire(lake: Lake) -> None:
    assert expire(lake, EVENT, DAY, taken_in={}, now=NOW) == Expired(0, 0, 0)


def test_a_day_that_events_has_not_taken_in_stays(lake: Lake, landing: Landing) -> None:
    landing.land({"landed_date": DAYS[0]})
    assert expire_events(lake, 2) == Expired(rows=2, days=1, days_kept=1)
    take_in(lake, {})
    assert expire_events(lake, 2) == Expired(rows=3, days=1, days_kept=0)
    assert removed(lake) == 5


def test_a_day_that_may_have_lost_raw_events_is_not_made_anew(lake: Lake, landing: Landing) -> None:
    expire_events(lake, 1)
    # An event of the second day may have been landed on the first: somewhere its day begins earlier than in UTC.
    assert first_whole_day(lake) == DAYS[2]
    for day in DAYS[:2]:
        with pytest.raises(RawEventsExpired, match=f"{day} can't be made anew"):
            rebuild(lake, [day, DAYS[3]], {})
    assert rebuild(lake, DAYS[2:], {}) == 4
    assert open_version(lake, EVENTS).scan().collect().height == 8


def test_erasing_after_raw_rows_expired_takes_the_rest_and_no_more(
    lake: Lake, landing: Landing, tmp_path: Path
) -> None:
    expire_events(lake, 2)
    done = erased(lake, Wanted(WHO))
    assert (done.landed_events, done.dead_letters, done.days) == (2, 4, frozenset(DAYS))
    assert open_version(lake, EVENTS).scan().collect().height == 4
    assert traces(tmp_path, WHO) == []
    assert removed(lake) == 4 + 6
    assert days_behind(lake, REPORTS, {}) == set()


def test_raw_rows_expire_after_an_erasure(lake: Lake, landing: Landing) -> None:
    erased(lake, Wanted(WHO))
    assert expire_events(lake, 2) == Expired(rows=2, days=2, days_kept=0)
    assert removed(lake) == 8 + 2


class Killed(Exception):
    """The process ends here."""


def test_stopped_between_removals_and_delete_it_is_repeated_to_an_exact_end(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("lake.retention._delete", die)
        with pytest.raises(Killed):
            expire_events(lake, 2)
    assert not audit(lake).exact
    expire_events(lake, 2)
    assert removed(lake) == 4


def test_a_row_that_is_landed_on_the_day_meanwhile_is_never_deleted_unrecorded(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_then_land(where: Lake, removals: object) -> None:
        record(where, removals)  # type: ignore[arg-type]  # passed on
        landing.land({"landed_date": DAYS[0]})

    monkeypatch.setattr("lake.retention.record", and_then_land)
    assert expire_events(lake, 1).days_kept == 1
    assert scan_raw_events(lake).collect().height == 9
    monkeypatch.undo()
    refresh(lake)
    assert expire_events(lake, 1).days == 1
    removed(lake)
