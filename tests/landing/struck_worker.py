"""A landing worker that brings a fault on itself: `python -m tests.landing.struck_worker FAULT [N]`.

The fault happens at the n-th time that its moment comes, so nothing depends on when the test looks.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

from deltalake.exceptions import CommitFailedError, DeltaError

import lake.landing_table
import pipelines.landing.__main__ as landing
from event_stream.kafka_reader import KafkaReader
from event_stream.ports import Record
from lake.landing_table import DeltaLandingTable
from pipelines.landing.batch import Buffer
from tests.landing.last_system_call import end_process_at

BEFORE_THE_WRITE = "killed before the write"
BETWEEN_FILE_AND_COMMIT = "killed between file and commit"
AS_THE_COMMIT_IS_MADE = "killed as soon as the commit has its name"
BETWEEN_THE_COMMITS = "killed between commit and Kafka commit"
GAINING = "killed during a rebalance, gaining"
LOSING = "killed during a rebalance, losing"
PAUSED = "paused before the write"
ANSWER_LOST = "answer of a commit lost"
OWN_COMMIT_IN_THE_WAY = "own commit taken for another's"


def _nothing() -> None:
    """No fault."""


def _signal(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def _fail(error: Exception) -> None:
    raise error


def _strike(
    target: Any, name: str, number: int, *, before: Callable[[], None] = _nothing, after: Callable[[], None] = _nothing
) -> None:
    """Does something before or after the n-th call of a function."""
    original, calls = getattr(target, name), itertools.count(1)

    def struck(*args: Any, **kwargs: Any) -> Any:
        due = next(calls) == number
        if due:
            before()
        answer = original(*args, **kwargs)
        if due:
            after()
        return answer

    patch.object(target, name, struck).start()


_kill, _pause = partial(_signal, signal.SIGKILL), partial(_signal, signal.SIGSTOP)

FAULTS: dict[str, Callable[[int], None]] = {
    BEFORE_THE_WRITE: lambda number: _strike(DeltaLandingTable, "append", number, before=_kill),
    # A commit is written under another name, then linked to its own, then the other name is removed.
    BETWEEN_FILE_AND_COMMIT: lambda number: _strike(
        DeltaLandingTable, "append", number, before=partial(end_process_at, "linkat")
    ),
    AS_THE_COMMIT_IS_MADE: lambda number: _strike(
        DeltaLandingTable, "append", number, before=partial(end_process_at, "unlink", "unlinkat")
    ),
    BETWEEN_THE_COMMITS: lambda number: _strike(DeltaLandingTable, "append", number, after=_kill),
    GAINING: lambda number: _strike(DeltaLandingTable, "landed", number, after=_kill),
    LOSING: lambda number: _strike(Buffer, "revoke", number, before=_kill),
    PAUSED: lambda number: _strike(DeltaLandingTable, "append", number, before=_pause),
    ANSWER_LOST: lambda number: _strike(
        lake.landing_table, "write_deltalake", number, after=partial(_fail, DeltaError("the answer never came"))
    ),
    # What an object store answers to a request that was sent again, because its first answer was lost.
    OWN_COMMIT_IN_THE_WAY: lambda number: _strike(
        lake.landing_table, "write_deltalake", number, after=partial(_fail, CommitFailedError("it is there already"))
    ),
}


def _read_version_2() -> None:
    """Makes of this worker one whose decoder also reads events of version 2."""
    original = KafkaReader.read

    def read(self: KafkaReader, max_records: int, timeout: float) -> Sequence[Record]:
        records = original(self, max_records, timeout)
        return [
            record._replace(value=record.value.replace(b'"ingestVersion":2', b'"ingestVersion":1'))
            for record in records
        ]

    patch.object(KafkaReader, "read", read).start()


if __name__ == "__main__":
    for option in sys.argv[1:]:
        fault, _, number = option.partition("@")
        if option == "reads-version-2":
            _read_version_2()
        else:
            FAULTS[fault](int(number))
    sys.exit(landing.main())
