"""What the fault tests found, as the tables that end their run."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any, ClassVar

import pytest


@dataclass(frozen=True)
class Fault:
    """What one test found: a row of the table of its kind, a name and then counts."""

    title: ClassVar[str]
    headings: ClassVar[tuple[str, ...]]

    name: str

    def found(self, config: pytest.Config) -> None:
        """Puts the row where the end of the run looks for it."""
        config.stash.setdefault(_FAULTS, []).append(self)


@dataclass(frozen=True)
class CollectorFault(Fault):
    """Events sent to a collector. `twice`: ids that Kafka has more than once, which are counted once later."""

    title = "faults of the collector"
    headings = ("sent", "answered 2xx", "in Kafka", "in spool", "lost", "ids twice in Kafka")

    sent: int
    accepted: int
    in_kafka: int
    in_spool: int
    lost: int
    twice: int


@dataclass(frozen=True)
class LandingFault(Fault):
    """Records sent to the stream, each an event or a dead letter, and what the table has of them.

    `double` counts the rows beyond the first of a record.
    """

    title = "faults of landing"
    headings = ("events sent", "landed", "dead letters", "lost", "double")

    sent: int
    landed: int
    dead_letters: int
    lost: int
    double: int


@dataclass(frozen=True)
class ScaleFault(Fault):
    """Events that clients sent through nginx until each was answered 202, and what the table `events` has of them.

    `again`: ids that were landed more than once, which count once. `double` counts rows beyond the first of an event.
    `given_up`: events that were not answered 202 in time. `failed`: reads that were answered with anything but a 2xx.
    """

    title = "faults of a deployment behind nginx"
    headings = ("sent", "answered 202", "landed again", "lost", "double", "given up", "reads", "failed reads")

    sent: int
    accepted: int
    again: int
    lost: int
    double: int
    given_up: int
    reads: int
    failed: int


@dataclass(frozen=True)
class ClusterFault(Fault):
    """Events that clients sent once each to a collector of a Kafka cluster, and what the table `events` has of them.

    `refused`: answered with anything but 202. `again`: ids that were landed more than once, which count once.
    """

    title = "faults of a Kafka cluster"
    headings = ("sent", "answered 202", "refused", "landed again", "lost", "double")

    sent: int
    accepted: int
    refused: int
    again: int
    lost: int
    double: int


_KINDS = (CollectorFault, LandingFault, ScaleFault, ClusterFault)
_FAULTS = pytest.StashKey[list[Fault]]()

Row = tuple[str, tuple[Any, ...]]
"""A fault as one process of the tests tells it to the one that ends the run: the title of its kind, and its values."""


def told(config: pytest.Config) -> list[Row]:
    """What the tests of this process found."""
    return [(fault.title, astuple(fault)) for fault in config.stash.get(_FAULTS, [])]


def take(config: pytest.Config, rows: list[Row]) -> None:
    """Adds what the tests of another process found."""
    kinds = {kind.title: kind for kind in _KINDS}
    for title, values in rows:
        kinds[title](*values).found(config)


def tables(config: pytest.Config) -> Iterator[tuple[str, list[str]]]:
    """The title of each table that has rows, and its lines."""
    faults = config.stash.get(_FAULTS, [])
    for kind in _KINDS:
        rows = [astuple(fault) for fault in faults if isinstance(fault, kind)]
        if rows:
            width = max(len(name) for name, *_ in rows)
            lines = [" | ".join([f"{'fault':{width}}", *kind.headings])]
            for name, *counts in rows:
                cells = (f"{count:>{len(heading)}}" for count, heading in zip(counts, kind.headings, strict=True))
                lines.append(" | ".join([f"{name:{width}}", *cells]))
            yield kind.title, lines
