"""A home that the first version wrote: this one migrates it, refreshes it, lands on; no record is lost or double."""

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from event_stream.ports import Record, StreamPartition
from event_stream.topics import EVENTS
from lake.audit import audit
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import count_landed, scan_raw_events
from lake.table_version import open_version
from pipelines.landing.rows import to_rows
from pipelines.refresh.behind import days_behind
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.all_reports import load_reports
from pipelines.reports.all_tables import all_tables
from tests.scale.older_home import value

pytestmark = pytest.mark.scale

ROOT = Path(__file__).parent.parent.parent
FIRST_VERSION = "712c9ae"
"""The commit at which the changelog told what the first version brings."""


@pytest.fixture(scope="module")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that the code of the first version wrote; that code runs in this environment."""
    folder = tmp_path_factory.mktemp("first_version")
    archived = subprocess.run(
        [shutil.which("git") or "git", "archive", FIRST_VERSION], cwd=ROOT, capture_output=True, check=False
    )
    if archived.returncode:
        pytest.skip(f"this clone does not hold commit {FIRST_VERSION}: fetch its whole history to test upgrades")
    subprocess.run([shutil.which("tar") or "tar", "-x", "-C", folder], input=archived.stdout, check=True)
    shutil.copy(ROOT / "tests" / "scale" / "older_home.py", folder)
    subprocess.run(
        [sys.executable, "older_home.py", folder / "home" / "lake"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=True,
        timeout=120,
    )
    return folder / "home"


@pytest.fixture
def home(first_version: Path, tmp_path: Path) -> Path:
    shutil.copytree(first_version, tmp_path / "home")
    return tmp_path / "home"


def logektor(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "logektor", *words, "--home", home], capture_output=True, text=True, timeout=120
    )


def test_it_is_migrated_once_and_says_what_was_done(home: Path) -> None:
    would = logektor(home, "migrate", "--check")
    assert would.returncode == 1
    assert "older landed, schema version 0 → 1" in would.stdout
    done = logektor(home, "migrate")
    assert done.returncode == 0, done.stderr
    assert "migrated landed, schema version 0 → 1" in done.stdout
    assert "migrated events, schema version 0 → 1: without column event_hour" in done.stdout
    again = logektor(home, "migrate", "--check")
    assert again.returncode == 0, again.stdout
    assert "are of this version" in again.stdout


@pytest.mark.parametrize("migrated", [True, False], ids=["migrated", "not migrated"])
def test_every_record_is_there_once_before_and_after(home: Path, migrated: bool) -> None:
    """Not migrated: one host of several runs this version already, and nobody has asked for a migration yet."""
    lake = Lake(str(home / "lake"))
    before, events_before = count_landed(lake), open_version(lake, all_tables()["events"]).scan().collect().height
    assert before == {"event": 576, "dead_letter": 24}
    if migrated:
        assert logektor(home, "migrate").returncode == 0

    bring_up_to_date(lake, load_reports(), [])
    assert count_landed(lake) == before
    assert audit(lake).exact
    assert _distinct(lake) == events_before == _counted(lake)
    assert not days_behind(lake, load_reports(), [])

    land_on(lake, 300, 350)
    bring_up_to_date(lake, load_reports(), [])
    assert count_landed(lake) == {"event": 672, "dead_letter": 28}
    assert audit(lake).exact
    assert _distinct(lake) == _counted(lake) > events_before


def land_on(lake: Lake, first: int, following: int) -> None:
    """The next offsets of both stream partitions, by this version's worker."""
    table = DeltaLandingTable(lake)
    for number in range(2):
        place = StreamPartition("cluster/topic", EVENTS.name, number)
        key = (place.stream_id, place.partition)
        assert table.landed([key]) == {key: first}
        records = [Record(place, offset, 0, value(2 * offset + number)) for offset in range(first, following)]
        rows = to_rows({place: records}, _now(lake))
        table.append(rows.events, rows.dead_letters, {key: first}, {key: following})


def _now(lake: Lake) -> datetime:
    latest = scan_raw_events(lake).select(pl.col("landed_at").max()).collect().item()
    assert isinstance(latest, datetime)
    return latest


def _distinct(lake: Lake) -> int:
    return scan_raw_events(lake).select("site", "event_id").unique().collect().height


def _counted(lake: Lake) -> int:
    """What reports count: people's and bots' events of all days."""
    traffic = open_version(lake, all_tables()["traffic"]).scan()
    return int(traffic.select(pl.col("events").sum() + pl.col("bot_events").sum()).collect().item())
