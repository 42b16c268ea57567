"""Keeps erasures and replays of a home apart: what a replay has read before an erasure, it would send after it."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "erasure.lock"
"""The file in the home; the lock is the kernel's, and goes with the process that holds it."""


@contextmanager
def erasing(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Begins when no replay and no other erasure runs; `waiting` is called where that is not at once."""
    with _locked(file, fcntl.LOCK_EX, waiting):
        yield


@contextmanager
def replaying(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Begins when no erasure runs. Dead letters must be read within, not before."""
    with _locked(file, fcntl.LOCK_SH, waiting):
        yield


@contextmanager
def _locked(file: Path, kind: int, waiting: Callable[[], None]) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as held:
        try:
            fcntl.flock(held, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(held, kind)
        yield
