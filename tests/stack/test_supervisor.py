import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from logektor.part import Part
from logektor.supervisor import FIRST_DELAY, Child, State, Supervisor

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, pathlib, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)",
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def until(condition: Callable[[], bool], step: Callable[[], None], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within its deadline"
        step()
        time.sleep(0.01)


@pytest.fixture
def heard() -> list[tuple[str, State]]:
    return []


def supervise(tmp_path: Path, heard: list[tuple[str, State]], *parts: Part, now: Callable[[], float]) -> Supervisor:
    def hear(child: Child) -> None:
        heard.append((child.part.name, child.state))

    return Supervisor(parts, tmp_path, hear, now)


def test_a_part_starts_only_after_what_it_needs_is_healthy(tmp_path: Path, heard: list[tuple[str, State]]) -> None:
    well = False
    clock = Clock()
    supervisor = supervise(
        tmp_path,
        heard,
        Part("second", SLEEPER, lambda: True, after=("first",)),
        Part("first", SLEEPER, lambda: well),
        now=clock,
    )
    try:
        for _ in range(5):
            clock.seconds += 1
            supervisor.tick()
        assert heard == [("first", State.STARTING)]
        well = True
        for _ in range(3):
            clock.seconds += 1
            supervisor.tick()
        assert heard[1:] == [("first", State.HEALTHY), ("second", State.STARTING), ("second", State.HEALTHY)]
        assert supervisor.all_healthy
    finally:
        supervisor.stop(clock() + 5)


def test_a_crashed_part_is_started_again_later_and_later(tmp_path: Path, heard: list[tuple[str, State]]) -> None:
    clock = Clock()
    crashing = Part("crashing", (sys.executable, "-c", "raise SystemExit('out of luck')"), lambda: False)
    supervisor = supervise(tmp_path, heard, crashing, now=clock)
    child = supervisor.children[0]
    delays = []
    for crash in range(1, 4):
        until(lambda: child.restarts == crash, supervisor.tick)  # noqa: B023 - called at once
        delays.append(child.start_again_at - clock())
        clock.seconds = child.start_again_at
    assert delays == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert child.last_words == "out of luck"
    assert (tmp_path / "crashing.log").read_text().count("out of luck") == 3


def test_a_part_that_is_stuck_is_killed_and_started_again(tmp_path: Path, heard: list[tuple[str, State]]) -> None:
    well = True
    clock = Clock()
    supervisor = supervise(tmp_path, heard, Part("stuck", SLEEPER, lambda: well, stuck_after=30.0), now=clock)
    child = supervisor.children[0]
    try:
        supervisor.tick()
        supervisor.tick()
        assert child.state is State.HEALTHY
        pid = child.pid
        well = False
        for _ in range(5):
            clock.seconds += 6
            supervisor.tick()
        assert (child.state, child.pid) == (State.UNHEALTHY, pid)
        clock.seconds += 1
        until(lambda: child.restarts == 1, supervisor.tick)
        assert pid is not None
        assert not psutil.pid_exists(pid)
        well = True
        clock.seconds = child.start_again_at
        for _ in range(2):
            supervisor.tick()
        assert child.state is State.HEALTHY
    finally:
        supervisor.stop(clock() + 5)


def test_parts_stop_stage_by_stage_and_a_stubborn_one_is_killed_at_the_deadline(
    tmp_path: Path, heard: list[tuple[str, State]]
) -> None:
    ready = tmp_path / "ready"
    supervisor = supervise(
        tmp_path,
        heard,
        Part("last", SLEEPER, lambda: True, stop_stage=2),
        Part("stubborn", (*STUBBORN, str(ready)), ready.exists, stop_stage=1),
        Part("first", SLEEPER, lambda: True),
        now=time.monotonic,
    )
    until(lambda: supervisor.all_healthy, supervisor.tick)
    pids = [child.pid for child in supervisor.children]
    began = time.monotonic()
    supervisor.stop(began + 0.5)
    assert [name for name, state in heard if state is State.STOPPED] == ["first", "stubborn", "last"]
    assert not any(pid and psutil.pid_exists(pid) for pid in pids)


def test_a_crash_takes_the_parts_own_children_along(tmp_path: Path, heard: list[tuple[str, State]]) -> None:
    grandchild = tmp_path / "grandchild"
    code = (
        "import subprocess, sys, time, pathlib;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "pathlib.Path(sys.argv[1] + '.new').write_text(str(p.pid));"
        "pathlib.Path(sys.argv[1] + '.new').rename(sys.argv[1]); time.sleep(60)"
    )
    supervisor = supervise(
        tmp_path,
        heard,
        Part("parent", (sys.executable, "-c", code, str(grandchild)), grandchild.exists),
        now=time.monotonic,
    )
    until(lambda: supervisor.all_healthy, supervisor.tick)
    pid = supervisor.children[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    left = psutil.Process(int(grandchild.read_text()))
    until(lambda: supervisor.children[0].state is State.CRASHED, supervisor.tick)
    until(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE, lambda: None)
    supervisor.stop(time.monotonic() + 5)
