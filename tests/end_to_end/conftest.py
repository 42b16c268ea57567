"""One `logektor up` for the tests of the whole way: a home of its own, free ports, real parts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from logektor.embedded_kafka import free_port
from logektor.running import read_running

T = TypeVar("T")

PORTS = ("collector", "query", "dagster", "kafka")


def until(look: Callable[[], T], seconds: float, what: str, every: float = 0.25) -> T:
    """The first truthy answer of `look`, asked again and again until the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(every)
    return answer


@dataclass
class Stack:
    """A `logektor up` that the tests own: the one of this clone, or what `command` starts in `folder`."""

    home: Path
    command: tuple[str, ...] = (sys.executable, "-m", "logektor")
    folder: Path | None = None
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        told = {f"LOGEKTOR_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        return {**os.environ, **told, "LOGEKTOR_HOME": str(self.home)}

    def start(self) -> None:
        """Starts it and waits until it says that everything is up."""
        with (self.home.parent / "up.txt").open("a") as words:
            self.process = subprocess.Popen(
                [*self.command, "up"],
                cwd=self.folder,
                env=self.environment,
                stdout=words,
                stderr=subprocess.STDOUT,
                text=True,
            )
        until(self.all_healthy, 120, "every part healthy")

    def all_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home.parent / "up.txt").read_text()
        running = read_running(self.home)
        # A killed `up` leaves its own words until the next one is ready to write.
        if running is None or running.pid != self.process.pid:
            return False
        return {part.state for part in running.parts} == {"healthy"}

    def stop(self) -> float:
        """Asks it to stop as Ctrl-C does; answers how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0, (self.home.parent / "up.txt").read_text()
        return time.monotonic() - began

    def end(self) -> None:
        """Ends it if it still runs, whatever a failed test left it in."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs another `logektor` command on the same home."""
        return subprocess.run(
            [*self.command, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=300,
        )

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        said = self.run("status", "--json", check=False)
        assert said.stdout, said.stderr
        answer = json.loads(said.stdout)
        assert isinstance(answer, dict)
        return answer

    def url(self, path: str, name: str = "query") -> str:
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def report(self, name: str, site: str, first: str, last: str) -> list[dict[str, Any]]:
        """All rows of a report over a range of days."""
        answer = httpx.get(
            self.url(f"/api/reports/{name}"),
            params={"site": site, "from": first, "to": last, "limit": 100_000},
            headers={"Authorization": f"Bearer {self.read_token()}"},
            timeout=30,
        )
        if answer.status_code == 404:
            return []
        answer.raise_for_status()
        rows = answer.json()["rows"]
        assert isinstance(rows, list)
        return rows

    def read_token(self) -> str:
        return (self.home / "read_token").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack") / "home")
    try:
        running.start()
        yield running
    finally:
        running.end()
