"""Work in a process of its own, so that its memory is its own: how long it takes and how much it needs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import psutil

from benchmarks.measured import highest_memory

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)


@dataclass(frozen=True)
class Done(Generic[Answer_co]):
    """What the work answered; `seconds` without the start of the process, `memory` its highest RSS in bytes.

    `cpu_seconds` of all its threads say what it costs where others use the machine too.
    """

    answer: Answer_co
    seconds: float
    cpu_seconds: float
    memory: int


def in_child(work: Callable[..., Answer], *arguments: Any) -> Done[Answer]:
    """Does the work in a new process. Raises RuntimeError where that ends without an answer; it has said why."""
    # Delta's runtime does not survive a fork.
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(sending, work, arguments))
    process.start()
    sending.close()
    pid = process.pid
    try:
        with highest_memory(lambda: int(psutil.Process(pid).memory_info().rss)) as highest:
            seconds, cpu_seconds, answer = receiving.recv()
    except EOFError as error:
        raise RuntimeError(f"{work.__name__} ended without an answer") from error
    finally:
        process.join()
    return Done(answer, seconds, cpu_seconds, max(highest))


def _do(sending: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    began, cpu_began = time.perf_counter(), time.process_time()
    answer = work(*arguments)
    sending.send((time.perf_counter() - began, time.process_time() - cpu_began, answer))
    # Until the parent has looked for the last time.
    time.sleep(0.2)
