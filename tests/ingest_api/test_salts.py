"""Salts: one a day, shared, and gone three days later."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest_api.salts import Salts


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


def test_a_salt_is_gone_after_72_hours_and_not_while_its_date_is_anywhere(tmp_path: Path) -> None:
    salts = Salts(tmp_path)
    salts.of_day("UTC", micros(NOON))
    last_moment_of_the_date = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC) + timedelta(hours=12)
    salts.forget(micros(last_moment_of_the_date))
    assert [file.name for file in tmp_path.iterdir()] == ["2026-11-24"]
    salts.forget(micros(datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(hours=72)))
    assert list(tmp_path.iterdir()) == []


def test_forgetting_where_nothing_is_kept_is_fine(tmp_path: Path) -> None:
    Salts(tmp_path / "none").forget(micros(NOON))
