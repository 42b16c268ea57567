"""What `up` leaves in its home for others: the lock that says it runs, and up.json that says where everything is."""

import fcntl
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psutil

from logektor.errors import AlreadyRunning


class RunningPart(msgspec.Struct, frozen=True):
    """A part as `up` sees it. `created_at` (Unix seconds) tells its process from a later one with the same id."""

    name: str
    state: str
    restarts: int
    pid: int | None = None
    created_at: float | None = None


class Running(msgspec.Struct, frozen=True):
    """The stack that runs on a home. `urls` has collector, query, dashboard and dagster; `kafka` is host:port,…"""

    pid: int
    urls: dict[str, str]
    kafka: str
    lake: str
    parts: Sequence[RunningPart]


def created_at(pid: int | None) -> float | None:
    """When a process was created, Unix seconds; None where there is none."""
    if pid is None:
        return None
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).create_time()
    return None


def write_running(home: Path, running: Running) -> None:
    """Replaces up.json in one step."""
    new = home / "up.json.new"
    new.write_bytes(msgspec.json.format(msgspec.json.encode(running), indent=2))
    new.replace(home / "up.json")


def read_running(home: Path) -> Running | None:
    """What up.json says, whether or not that `up` still runs; None where there was none."""
    try:
        return msgspec.json.decode((home / "up.json").read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def is_running(home: Path) -> bool:
    """Whether a `logektor up` holds this home."""
    try:
        with (home / "up.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Holds the home; the lock goes with the process, however that ends. Raises AlreadyRunning."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            running = read_running(home)
            where = f": dashboard {running.urls['dashboard']}, Dagster {running.urls['dagster']}" if running else ""
            raise AlreadyRunning(
                f"Logektor is already running on {home}{where}. See `logektor status`, stop it with Ctrl-C where it "
                "was started, or give this one a home and ports of its own (--home, --collector-port, …)."
            ) from error
        yield


def end_leftovers(home: Path) -> list[str]:
    """Ends the processes of an `up` that was killed; answers the names of the parts. Call while the home is held."""
    running = read_running(home)
    ended = []
    for part in running.parts if running else ():
        if part.pid is None or part.created_at is None or created_at(part.pid) != part.created_at:
            continue
        with suppress(ProcessLookupError):
            # Killed, not asked: each part survives that, and a port must be free in a moment.
            os.killpg(part.pid, signal.SIGKILL)
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            psutil.Process(part.pid).wait(timeout=10)
        ended.append(part.name)
    # What it says is over; the next one writes its own.
    (home / "up.json").unlink(missing_ok=True)
    return ended
