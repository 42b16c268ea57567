"""docs/backup.md, followed: a home is backed up while events land, destroyed and restored, and nothing is missing."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lake.audit import audit
from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.behind import days_behind
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from sites import register_site
from tests.landing.conftest import Site, landing_kafka, site

__all__ = ["landing_kafka", "site"]

pytestmark = [pytest.mark.kafka, pytest.mark.scale]

FEW = (SESSIONS, TRAFFIC)
"""Enough to see that tables follow; each takes its time to be refreshed."""

PAGE = (Path(__file__).parent.parent.parent / "docs" / "backup.md").read_text(encoding="utf-8")


def follow(block: str, home: Path, backup: Path) -> None:
    """Runs a block of the page."""
    (script,) = re.findall(rf"<!-- {block}:start -->\n```bash\n(.*?)```", PAGE, re.DOTALL)
    told = {"LOGEKTOR_HOME": str(home), "BACKUP": str(backup), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/bash", "-c", script], env=told, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def prove(backup: Path) -> None:
    """As the page says; and there is no salt, no spool and no log in it."""
    words = [sys.executable, "-m", "logektor", "audit", "--home", str(backup)]
    assert subprocess.run(words, capture_output=True, timeout=120).returncode == 0
    assert {path.name for path in backup.iterdir()} == {"lake", "sites.toml"}


@pytest.fixture
def backup(site: Site, tmp_path: Path) -> Path:
    """Taken while events land and tables are refreshed; then the home is destroyed."""
    register_site(site.home / "sites.toml", "example.com", "UTC")
    worker = site.start(max_age=0.05)
    site.produce(2_000, poison_every=50)
    site.wait_for_landed(2_000)
    bring_up_to_date(site.lake, FEW, [])
    refreshing = threading.Thread(target=bring_up_to_date, args=(site.lake, FEW, []))
    with site.load():
        site.wait_for_landed(site.landed() + 200)
        refreshing.start()
        follow("backup", site.home, tmp_path / "backup")
        refreshing.join()
        site.wait_for_landed(site.landed() + 200)
    site.kill(worker)
    prove(tmp_path / "backup")
    shutil.rmtree(site.home)
    return tmp_path / "backup"


def test_nothing_is_lost_or_double_where_kafka_is_left(site: Site, backup: Path) -> None:
    follow("restore", site.home, backup)
    assert 2_000 <= site.landed() < len(site.sent)
    site.start(max_age=0.05)
    site.produce(300)
    site.assert_each_is_landed_once()
    assert_tables_follow(site.lake)


def test_what_came_after_the_backup_is_lost_and_nothing_else_where_the_topics_are_gone_too(
    site: Site, backup: Path
) -> None:
    follow("restore", site.home, backup)
    kept = site.landed()
    site.make_topics_anew()
    refused = site.start(max_age=0.05)
    assert refused.wait(60) == 1
    assert "is gone from the broker" in site.said(refused)

    site.start("pipelines.landing", "--accept-gap", max_age=0.05)
    site.produce(300)
    site.wait_for_landed(kept + 300)
    assert audit(site.lake).exact
    found = site.count("")
    assert (found.landed + found.dead_letters, found.double) == (kept + 300, 0)
    assert_tables_follow(site.lake)


def assert_tables_follow(lake: Lake) -> None:
    """Every landed event is in `events` once, and no table is behind."""
    bring_up_to_date(lake, FEW, [])
    assert not days_behind(lake, FEW, [])
    events = open_version(lake, EVENTS).scan().select("event_id").collect()
    assert events.height == events.n_unique() == sum(row.events for row in audit(lake).partitions)
