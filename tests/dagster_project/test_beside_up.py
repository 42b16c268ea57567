"""A Dagster that is started beside a running `up` says so."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dagster_project.beside_up import warn_beside_up
from dagster_project.settings import DagsterSettings


@contextmanager
def running_up(home: Path) -> Iterator[None]:
    (home / "up.json").write_text(json.dumps({"pid": 1, "urls": {"dagster": "http://127.0.0.1:3000"}}))
    with (home / "up.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_one_sentence_names_the_home_and_where_the_other_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_up(tmp_path):
        warn_beside_up(DagsterSettings(home=tmp_path))
    assert len(caplog.messages) == 1
    assert str(tmp_path) in caplog.text
    assert "http://127.0.0.1:3000" in caplog.text


def test_a_part_of_that_up_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_up(tmp_path):
        warn_beside_up(DagsterSettings(home=tmp_path, up_pid=1))
    assert caplog.messages == []


def test_an_up_that_is_gone_is_not_spoken_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_beside_up(DagsterSettings(home=tmp_path))
    with running_up(tmp_path):
        pass
    warn_beside_up(DagsterSettings(home=tmp_path))
    assert caplog.messages == []
