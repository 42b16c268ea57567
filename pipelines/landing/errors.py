"""What stops the worker besides the stream's and the lake's own errors.

LandingError
├── GapFound             records to be landed next are gone from the broker: a person must accept that
└── TooManyDeadLetters   most records can't be read: a person must look before more of them are put aside
"""

from collections.abc import Sequence


class LandingError(Exception):
    """The root of the worker's errors."""


class GapFound(LandingError):
    """Records that were to be landed next are gone from the broker."""

    def __init__(self, gaps: Sequence[str]) -> None:
        super().__init__(
            "\n".join(gaps) + "\nThe worker never skips records by itself: start it once as"
            " `python -m pipelines.landing --accept-gap` to record the gap and to go on behind it."
        )


class TooManyDeadLetters(LandingError):
    """Most records of a stretch can't be read; the last of them were not landed."""

    def __init__(self, unreadable: int, records: int, last: str) -> None:
        super().__init__(
            f"{unreadable:,} of {records:,} records in a row could not be read, the last at {last}."
            " The batch was not landed. Run a worker that reads what the collectors write,"
            " or raise LOGEKTOR_LANDING_DEAD_LETTER_SHARE to put them aside as dead letters."
        )
        self.unreadable = unreadable
        self.records = records
