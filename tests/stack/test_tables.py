"""`logektor rebuild` and `logektor export` on a home."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from lake.events_table import taken_in
from lake.location import Lake
from lake.raw_schema import EVENT
from lake.retention import expire
from lake.table_version import open_version
from logektor.__main__ import app
from pipelines.refresh.events import take_in
from pipelines.reports.clean_events import EVENTS
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tomorrow = NOON + timedelta(days=1)
    Landing(Lake(str(tmp_path / "lake"))).land({"visitor_id": "ann"}, {"visitor_id": "ann", "occurred_at": tomorrow})
    return tmp_path


def run(home: Path, command: str, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [command, "--home", str(home), *words])
    return result.exit_code, " ".join(result.output.split())


def test_days_are_rebuilt_and_exported(home: Path) -> None:
    code, said = run(home, "rebuild", "--from", "2026-11-01", "--to", "2026-11-20")
    assert code == 0, said
    assert "Rebuilt: 1 days, 2026-11-20 to 2026-11-20, of all tables." in said
    code, said = run(home, "export", "traffic", "--from", "2026-11-01", "--to", "2026-11-30")
    assert code == 0, said
    assert "1 files in" in said
    assert pl.read_parquet(home / "exports" / "traffic" / "2026-11-20.parquet")["events"].to_list() == [1]


def test_what_cannot_be_rebuilt_is_refused_with_a_sentence(home: Path) -> None:
    lake = Lake(str(home / "lake"))
    take_in(lake, {})
    now = datetime(2026, 12, 24, tzinfo=UTC)
    expire(lake, EVENT, DAY + timedelta(days=1), taken_in=taken_in(open_version(lake, EVENTS)), now=now)
    code, said = run(home, "rebuild", "--from", "2026-11-20", "--to", "2026-11-20")
    assert code == 1
    assert "2026-11-20 can't be made anew: raw events of days before 2026-11-22 may have expired" in said


def test_what_makes_no_sense_is_refused_with_a_sentence(home: Path) -> None:
    assert run(home, "rebuild", "--from", "2026-11-20", "--to", "2026-11-19") == (
        2,
        "--from 2026-11-20 is after --to 2026-11-19.",
    )
    assert run(home, "rebuild", "--from", "2020-01-01", "--to", "2020-01-02")[1].endswith(
        "None of these days has an event: there was nothing to rebuild."
    )
    code, said = run(home, "export", "trafic", "--from", "2026-11-20", "--to", "2026-11-20")
    assert code == 2
    assert "There is no table 'trafic': choose one of events, sessions, traffic" in said
