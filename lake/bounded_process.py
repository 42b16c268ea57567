"""Calls a function for one table after the other in a child process that may use only so much memory.

When that is too little, the child ends and not the caller, who can say in a sentence what became of the table.
"""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TypeVar

import psutil

from lake.errors import LakeError

Outcome = TypeVar("Outcome")

IDLE_SECONDS = 300.0
"""Longer than a store that does not answer is waited for."""

_LOOK_SECONDS = 1.0
_WORK_SECONDS = 0.1
"""Less processor time than this is no work: a thread that looks whether there is some."""

_ALLOCATORS = dict.fromkeys(("_RJEM_MALLOC_CONF", "JE_ARROW_MALLOC_CONF"), "background_thread:false")
"""What the allocators of Polars and deltalake, and of pyarrow, read when they are loaded by the child.

Their background thread that finds no memory for another one tries again at once, and says so each time: for ever, with
gigabytes of log in minutes. Polars sets its other options of the first by itself.
"""

# A fork would panic in deltalake once that was used.
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Failed:
    """Why nothing was done to a table, or not all."""

    sentence: str


def call_for_each(
    call: Callable[[str], Outcome], tables: Sequence[str], memory_bytes: int, idle_seconds: float = IDLE_SECONDS
) -> Iterator[Outcome | Failed]:
    """What `call` answers for each table, in their order; Failed where it raised LakeError, or its process ended.

    A process that does nothing for `idle_seconds` is ended: where only a thread of deltalake finds no memory, the
    others wait for it for ever. The tables behind one that ended it have a new process. `memory_bytes` bounds all that
    the process writes to, its 70 MB of libraries among it (RLIMIT_DATA; only Linux counts all of it). `call` is
    pickled.
    """
    os.environ.update(_ALLOCATORS)
    left = list(tables)
    while left:
        receiver, sender = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_answer, args=(sender, call, left, memory_bytes), daemon=True)
        process.start()
        # The child alone holds it now: its end is the end of what is received.
        sender.close()
        try:
            while left:
                _await(receiver, process, idle_seconds)
                outcome: Outcome | Failed = receiver.recv()
                del left[0]
                yield outcome
        except EOFError:
            process.join()
            yield Failed(_sentence(left.pop(0), process.exitcode or 0, memory_bytes))
        finally:
            process.kill()
            process.join()
            receiver.close()


def _await(receiver: Connection, process: SpawnProcess, idle_seconds: float) -> None:
    """Returns when there is an answer, or the process has ended or was ended."""
    worked, since = 0.0, time.monotonic()
    while not receiver.poll(_LOOK_SECONDS):
        try:
            user, system, *_ = psutil.Process(process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return
        if user + system > worked + _WORK_SECONDS:
            worked, since = user + system, time.monotonic()
        elif time.monotonic() - since > idle_seconds:
            process.kill()
            return


def _answer(sender: Connection, call: Callable[[str], Outcome], tables: Sequence[str], memory_bytes: int) -> None:
    """What the child does."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    for table in tables:
        try:
            sender.send(call(table))
        except LakeError as error:
            sender.send(Failed(str(error)))


def _sentence(table: str, exit_code: int, memory_bytes: int) -> str:
    how = f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name
    return (
        f"Table {table} is as it was: the process of its upkeep ended with {how}. It may use {memory_bytes >> 20} MiB; "
        "the last lines of its log say whether that was too little."
    )
