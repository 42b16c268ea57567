"""When unreadable records are too many to go on. No I/O."""

from dataclasses import dataclass

from pipelines.landing.errors import TooManyDeadLetters
from pipelines.landing.rows import Rows


@dataclass(frozen=True)
class DeadLetterLimit:
    """At most this share of the records in a row may be unreadable, counted once so many were seen.

    A few poison records are landed as dead letters; a collector that this worker can't read must not drain the
    topic into them.
    """

    share: float = 0.5
    records: int = 1_000


class DeadLetterCount:
    """Counts towards a limit, over stretches of at least `limit.records` records."""

    def __init__(self, limit: DeadLetterLimit) -> None:
        self._limit = limit
        self._records = 0
        self._unreadable = 0

    def add(self, rows: Rows) -> None:
        """Counts rows that are about to be landed. Raises TooManyDeadLetters: then they must not be."""
        self._records += rows.events.num_rows + rows.dead_letters.num_rows
        self._unreadable += rows.unreadable
        if self._records < self._limit.records:
            return
        if self._unreadable > self._limit.share * self._records:
            raise TooManyDeadLetters(self._unreadable, self._records, rows.last_unreadable)
        self._records = self._unreadable = 0
