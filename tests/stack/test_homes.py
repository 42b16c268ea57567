import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from logektor.errors import AlreadyRunning, StackError
from logektor.homes import announce, home_in_use
from logektor.running import (
    Running,
    RunningPart,
    created_at,
    end_leftovers,
    hold,
    is_running,
    read_running,
    write_running,
)
from logektor.sentences import settings_in_use
from logektor.settings import StackSettings

URLS = {"dashboard": "http://127.0.0.1:1/", "dagster": "http://127.0.0.1:2"}


def running_with(part: RunningPart) -> Running:
    return Running(pid=1, urls=URLS, kafka="k", lake="l", parts=[part])


def test_a_second_up_on_the_same_home_says_that_one_is_running(tmp_path: Path) -> None:
    with hold(tmp_path):
        write_running(tmp_path, running_with(RunningPart("kafka", "healthy", 0)))
        assert is_running(tmp_path)
        with pytest.raises(AlreadyRunning, match=r"already running.*127\.0\.0\.1:1/.*--home"), hold(tmp_path):
            pass
    assert not is_running(tmp_path)


def test_what_a_killed_up_left_running_is_ended_but_no_stranger_with_the_same_id(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
    try:
        write_running(tmp_path, running_with(RunningPart("query", "healthy", 0, left.pid, 12345.0)))
        assert end_leftovers(tmp_path) == []
        assert left.poll() is None
        write_running(tmp_path, running_with(RunningPart("query", "healthy", 0, left.pid, created_at(left.pid))))
        assert end_leftovers(tmp_path) == ["query"]
        assert read_running(tmp_path) is None
        left.wait(10)
    finally:
        left.kill()
    assert not psutil.pid_exists(left.pid)


def test_a_command_without_a_home_finds_the_one_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOGEKTOR_HOME", raising=False)
    first, second, register = tmp_path / "first", tmp_path / "second", tmp_path / "register"
    with hold(first):
        announce(first, register)
        assert home_in_use(StackSettings(), register) == first
        assert home_in_use(StackSettings(home=second), register) == second
        with hold(second):
            announce(second, register)
            with pytest.raises(StackError, match="say which with --home"):
                home_in_use(StackSettings(), register)
        assert home_in_use(StackSettings(), register) == first
    assert home_in_use(StackSettings(), register) == tmp_path / "var"


def test_a_command_looks_at_the_lake_of_the_up_that_runs_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOGEKTOR_LAKE_URI", raising=False)
    write_running(tmp_path, Running(pid=1, urls=URLS, kafka="k", lake="s3://bucket/lake", parts=[]))
    assert settings_in_use(tmp_path).lake == str(tmp_path / "lake")
    with hold(tmp_path):
        assert settings_in_use(tmp_path).lake == "s3://bucket/lake"
        monkeypatch.setenv("LOGEKTOR_LAKE_URI", "s3://other/lake")
        assert settings_in_use(tmp_path).lake == "s3://other/lake"
