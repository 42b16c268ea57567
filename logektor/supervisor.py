"""Starts the parts in order, restarts what crashes, and stops everything within one deadline."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from logektor.part import Part

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
"""Seconds before a crashed part is started again: doubled at each crash in a row."""

CALM = 60.0
"""Seconds of life after which a crash counts as the first again."""

LARGEST_LOG = 10 * 1024 * 1024
"""Bytes of a log beyond which it is put aside (one older one is kept) before the part starts."""


class State(StrEnum):
    """How a part is."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass
class Child:
    """A part and its process. Times are seconds of the supervisor's clock."""

    part: Part
    state: State = State.WAITING
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    looked_at: float = float("-inf")
    well_at: float = 0.0
    crashes_in_a_row: int = 0
    restarts: int = 0
    was_healthy: bool = False
    last_words: str = ""

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        return self.process.pid if self.process is not None else None


class Supervisor:
    """Owns the processes of all parts. `tick` is called again and again; `on_change` hears of every new state."""

    def __init__(
        self,
        parts: Iterable[Part],
        logs: Path,
        on_change: Callable[[Child], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.children = [Child(part) for part in parts]
        self._logs = logs
        self._on_change = on_change
        self._now = now

    @property
    def all_healthy(self) -> bool:
        """Whether every part is well."""
        return all(child.state is State.HEALTHY for child in self.children)

    def tick(self) -> None:
        """Starts what may start, looks after what runs."""
        for child in self.children:
            if child.process is None:
                if self._may_start(child):
                    self._start(child)
            elif child.process.poll() is not None:
                self._bury(child, child.process)
            elif self._is_stuck(child):
                _kill_group(child.process.pid)
            elif self._now() - child.looked_at >= (5.0 if child.state is State.HEALTHY else 0.25):
                self._look(child)

    def stop(self, deadline: float) -> None:
        """Stops the parts stage by stage; what has not stopped by `deadline` (the clock's seconds) is killed."""
        for stage in sorted({child.part.stop_stage for child in self.children}):
            running = [
                (child, child.process)
                for child in self.children
                if child.part.stop_stage == stage and child.process is not None
            ]
            for _, process in running:
                process.terminate()
            for child, process in running:
                self._await_end(child, process, deadline)

    def _may_start(self, child: Child) -> bool:
        healthy = {other.part.name for other in self.children if other.was_healthy}
        return self._now() >= child.start_again_at and healthy.issuperset(child.part.after)

    def _is_stuck(self, child: Child) -> bool:
        patience = child.part.stuck_after
        return child.state is State.UNHEALTHY and patience is not None and self._now() - child.well_at > patience

    def _start(self, child: Child) -> None:
        log = self._logs / f"{child.part.name}.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child.process = subprocess.Popen(
                child.part.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **child.part.environment},
                # A group of its own: Ctrl-C in the terminal is for the supervisor, which stops the parts in order.
                process_group=0,
            )
        child.started_at = self._now()
        child.looked_at = float("-inf")
        self._change(child, State.STARTING)

    def _look(self, child: Child) -> None:
        child.looked_at = self._now()
        if child.part.ready():
            child.was_healthy = True
            child.well_at = child.looked_at
            self._change(child, State.HEALTHY)
        elif child.state is State.HEALTHY:
            self._change(child, State.UNHEALTHY)

    def _bury(self, child: Child, process: subprocess.Popen[bytes]) -> None:
        lived = self._now() - child.started_at
        child.crashes_in_a_row = 1 if lived > CALM else child.crashes_in_a_row + 1
        child.restarts += 1
        child.start_again_at = self._now() + min(FIRST_DELAY * 2 ** (child.crashes_in_a_row - 1), LONGEST_DELAY)
        child.last_words = _last_line(self._logs / f"{child.part.name}.log")
        # What a killed parent left in its group would keep its port.
        _kill_group(process.pid)
        child.process = None
        self._change(child, State.CRASHED)

    def _await_end(self, child: Child, process: subprocess.Popen[bytes], deadline: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - self._now()))
        _kill_group(process.pid)
        process.wait()
        child.process = None
        self._change(child, State.STOPPED)

    def _change(self, child: Child, state: State) -> None:
        if child.state is not state:
            child.state = state
            self._on_change(child)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines: Sequence[str] = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else ""
