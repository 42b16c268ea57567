"""What the fault tests found, as the table that ends their run."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

import pytest


@dataclass(frozen=True)
class Fault:
    """Events of one test. `twice`: ids that Kafka has more than once, which are counted once later."""

    name: str
    sent: int
    accepted: int
    in_kafka: int
    in_spool: int
    lost: int
    twice: int


FAULTS = pytest.StashKey[list[Fault]]()

_HEADINGS = ("fault", "sent", "answered 2xx", "in Kafka", "in spool", "lost", "ids twice in Kafka")


def lines(faults: Iterable[Fault]) -> Iterator[str]:
    """The table, one line for each fault."""
    yield " | ".join([f"{_HEADINGS[0]:34}", *_HEADINGS[1:]])
    for name, *counts in map(astuple, faults):
        yield " | ".join(
            [f"{name:34}", *(f"{count:>{len(heading)}}" for count, heading in zip(counts, _HEADINGS[1:], strict=True))]
        )
