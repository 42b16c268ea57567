"""The sign of life is whole whenever it is read, and cheap."""

import json
from pathlib import Path

import pytest

from pipelines.landing.heartbeat import Heartbeat


def test_at_most_one_write_a_second(tmp_path: Path) -> None:
    seconds = iter([100.0, 100.9, 101.0])
    path = tmp_path / "home" / "landing.json"
    heartbeat = Heartbeat(path, lambda: next(seconds))
    heartbeat.beat(landed_events=1, landed_dead_letters=0, waiting=2)
    first = {"updated_at": 100.0, "landed_events": 1, "landed_dead_letters": 0, "waiting": 2}
    assert json.loads(path.read_text()) == first
    heartbeat.beat(landed_events=2, landed_dead_letters=0, waiting=0)
    assert json.loads(path.read_text()) == first
    heartbeat.beat(landed_events=3, landed_dead_letters=1, waiting=0)
    assert json.loads(path.read_text())["landed_events"] == 3
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_takes_no_sign_of_life_does_not_stop_the_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    heartbeat = Heartbeat(tmp_path / "home" / "landing.json")
    heartbeat.beat(landed_events=1, landed_dead_letters=0, waiting=2)
    assert "The sign of life was not written" in caplog.text
