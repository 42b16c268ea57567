"""How long `logektor up` takes until every part is healthy, once downloads are cached."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console

from benchmarks.measured import Measured, at_most
from logektor.embedded_kafka import free_port, resolve
from logektor.running import read_running
from logektor.settings import StackSettings

STARTS = 3
_DEADLINE_SECONDS = 120.0


def run(console: Console) -> list[Measured]:
    """The first start on a fresh home, which formats Kafka's storage, and the later ones."""
    resolve(StackSettings().kafka_cache.expanduser())
    with tempfile.TemporaryDirectory() as folder:
        first, memory = _start(Path(folder))
        console.print(f"first start: {first:.1f} s")
        later = []
        for _ in range(STARTS):
            seconds, memory = _start(Path(folder))
            console.print(f"later start: {seconds:.1f} s")
            later.append(seconds)
    return [
        at_most("up to all healthy, fresh home", first, "s", 30),
        at_most(f"up to all healthy, known home, median of {STARTS}", median(later), "s", 30),
        Measured("RSS of the whole stack, idle", memory / 2**20, "MiB"),
    ]


def _start(home: Path) -> tuple[float, int]:
    """Seconds until all parts are healthy, and the bytes of memory they then have together."""
    ports = {f"LOGEKTOR_{name}_PORT": str(free_port()) for name in ("COLLECTOR", "QUERY", "DAGSTER", "KAFKA")}
    began = time.monotonic()
    up = subprocess.Popen(
        [sys.executable, "-m", "logektor", "up", "--home", str(home)],
        env={**os.environ, **ports},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _healthy(home, up.pid):
            if up.poll() is not None or time.monotonic() - began > _DEADLINE_SECONDS:
                raise RuntimeError(f"`logektor up` was not healthy within {_DEADLINE_SECONDS:g} s")
            time.sleep(0.05)
        return time.monotonic() - began, _memory(up.pid)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)


def _healthy(home: Path, pid: int) -> bool:
    running = read_running(home)
    return running is not None and running.pid == pid and {part.state for part in running.parts} == {"healthy"}


def _memory(pid: int) -> int:
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
