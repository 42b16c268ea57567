"""What stops the worker besides the stream's and the lake's own errors.

LandingError
├── GapFound             records to be landed next are gone from the broker: a person must accept that
├── HoleFound            the same, found while reading: the offsets of two records do not follow each other
└── TooManyDeadLetters   most records can't be read: a person must look before more of them are put aside
"""

from collections.abc import Sequence

from event_stream.ports import StreamPartition


class LandingError(Exception):
    """The root of the worker's errors."""


class GapFound(LandingError):
    """Records that were to be landed next are gone from the broker."""

    def __init__(self, gaps: Sequence[str]) -> None:
        super().__init__(
            "\n".join(gaps) + "\nThe worker never skips records by itself: start it once as"
            " `python -m pipelines.landing --accept-gap` to record the gap and to go on behind it."
        )


class HoleFound(LandingError):
    """The broker answered a record past the next one to land; `next_offset` is that record's."""

    def __init__(self, place: StreamPartition, first_offset: int, next_offset: int) -> None:
        super().__init__(
            f"The record after offset {first_offset - 1} of {place.topic}[{place.partition}] has offset {next_offset}:"
            f" {next_offset - first_offset} records between them are missing. Nothing after them was landed."
        )
        self.place = place
        self.first_offset = first_offset
        self.next_offset = next_offset


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
