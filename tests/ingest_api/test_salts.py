"""Salts: one a day, shared, and gone three days later."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_api.salts import Salts, dates_in_use, forgotten_from, known_from


def micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_day_has_one_salt_and_the_next_another(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    today = salts.of_day("UTC", micros(NOON))
    assert len(today) == 32
    assert salts.of_day("UTC", micros(NOON.replace(hour=23))) == today
    assert salts.of_day("UTC", micros(NOON.replace(hour=0))) == today
    assert salts.of_day("UTC", micros(NOON + timedelta(days=1))) != today


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def test_a_day_is_the_sites_own(tmp_path: Path, zone: str) -> None:
    salts = Salts(tmp_path)
    midnight = datetime(2026, 11, 25, tzinfo=ZoneInfo(zone))
    before = salts.of_day(zone, micros(midnight) - 1)
    assert salts.of_day(zone, micros(midnight)) != before
    assert {file.name for file in tmp_path.iterdir()} == {"2026-11-24", "2026-11-25"}


def test_days_with_a_change_of_the_clock_have_one_salt(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    start = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin"))
    of_hours = {salts.of_day("Europe/Berlin", micros(start) + hour * 3_600_000_000) for hour in range(25)}
    assert len(of_hours) == 1


def test_a_restart_keeps_the_salt_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "salts"
    salt = Salts(folder).of_day("UTC", micros(NOON))
    assert Salts(folder).of_day("UTC", micros(NOON)) == salt
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def _salt(folder: Path) -> bytes:
    return Salts(folder).of_day("UTC", micros(NOON))


def test_processes_that_begin_a_day_together_share_its_salt(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as pool:
        assert len(set(pool.map(_salt, [tmp_path] * 20, chunksize=1))) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["2026-11-24"]


def test_threads_that_begin_a_day_together_share_its_salt(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(_salt, [tmp_path] * 50))) == 1


def midnight(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC)


def test_a_salt_is_gone_72_hours_after_it_was_known_and_not_while_its_date_is_anywhere(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    own = salts.of_day("UTC", micros(NOON))
    salts.agree(NOON.date(), b"agreed on by all")
    last_moment_of_the_date = midnight(25) + timedelta(hours=12) - timedelta(microseconds=1)
    salts.forget(micros(last_moment_of_the_date))
    assert [file.name for file in tmp_path.iterdir()] == ["2026-11-24"]
    assert salts.of_day("Etc/GMT+12", micros(last_moment_of_the_date)) == b"agreed on by all"
    known = midnight(24) - timedelta(hours=26)
    salts.forget(micros(known + timedelta(hours=72)) - 1)
    assert [file.name for file in tmp_path.iterdir()] == ["2026-11-24"]
    salts.forget(micros(known + timedelta(hours=72)))
    assert list(tmp_path.iterdir()) == []
    assert salts.of_day("UTC", micros(NOON)) not in (own, b"agreed on by all")


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - by timezones
    st.sampled_from(["Etc/GMT+12", "Pacific/Kiritimati", "America/New_York", "UTC", "Asia/Kolkata"]),
)
def test_a_salt_is_known_12_hours_before_its_date_begins_anywhere_and_until_it_is_over_everywhere(
    moment: datetime, zone: str
) -> None:
    now = micros(moment)
    in_use = dates_in_use(now)
    assert moment.astimezone(ZoneInfo(zone)).date() in in_use
    assert (moment + timedelta(hours=12)).astimezone(ZoneInfo(zone)).date() in in_use
    assert all(known_from(day) <= now < forgotten_from(day) for day in in_use)
    assert len(in_use) <= 3


def test_what_was_agreed_on_counts_at_once_and_for_good(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    salts.of_day("UTC", micros(NOON))
    assert salts.agree(NOON.date(), b"first")
    assert not salts.agree(NOON.date(), b"second")
    assert salts.of_day("UTC", micros(NOON)) == b"first"


def test_what_was_agreed_on_outlives_a_restart_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    salts.of_day("UTC", micros(NOON))
    salts.agree(NOON.date(), b"agreed on by all")
    assert salts.store(NOON.date())
    assert not salts.store(NOON.date())
    assert Salts(tmp_path).of_day("UTC", micros(NOON)) == b"agreed on by all"
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_host_knows_its_salts_when_it_has_one_for_every_date_in_use(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    assert not salts.known(micros(NOON))
    for day in dates_in_use(micros(NOON)):
        salts.of_date(day)
    assert salts.known(micros(NOON))
    assert Salts(tmp_path).known(micros(NOON))


def test_forgetting_where_nothing_is_kept_is_fine(tmp_path: Path) -> None:
    Salts(tmp_path / "none").forget(micros(NOON))
