"""A measured value, the bar it is held to, and how a run is shown."""

import os
import platform
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


class Measured(msgspec.Struct, frozen=True):
    """One value. `bar` says in words what it is held to; `holds` is None where there is no bar."""

    name: str
    value: float
    unit: str
    bar: str | None = None
    holds: bool | None = None


def at_least(name: str, value: float, unit: str, bar: float) -> Measured:
    """A value that should not be smaller than its bar."""
    return Measured(name, value, unit, f">= {bar:g}", value >= bar)


def at_most(name: str, value: float, unit: str, bar: float) -> Measured:
    """A value that should not be larger than its bar."""
    return Measured(name, value, unit, f"<= {bar:g}", value <= bar)


def show(results: Sequence[Measured], console: Console) -> None:
    """The table, below the machine and the commit."""
    console.print(f"{machine()}; commit {commit()}")
    table = Table(box=None, pad_edge=False)
    for heading in ("what", "value", "unit", "bar", "holds"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for each in results:
        holds = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[each.holds]
        table.add_row(each.name, f"{each.value:,.2f}", each.unit, each.bar or "", holds)
    console.print(table)


def write(results: Sequence[Measured], file: Path) -> None:
    """The same as a JSON list of {name, value, unit, bar, holds}."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


def machine() -> str:
    """Processor count and kind, and the Python that ran."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit that was measured; `+` where the tree has changes."""
    described = ["git", "describe", "--always", "--dirty=+", "--abbrev=10"]
    return subprocess.run(described, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def highest_memory(memory: Callable[[], int]) -> Iterator[list[int]]:
    """What `memory` answers in bytes, ten times a second from here to the end of the block; the first is 0."""
    seen = [0]
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.1):
            seen.append(memory())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stopping.set()
        thread.join()
