"""How far a table has read the stream, as transactions of its Delta log: one per stream partition."""

from collections.abc import Mapping

Progress = Mapping[tuple[str, int], int]
"""By (stream_id, stream partition) the offset of the *next* record: one past the last that is in the table."""


def app_id(owner: str, stream_id: str, partition: int) -> str:
    """The name of a stream partition's transaction; its number is an offset. `owner` is who commits it."""
    return f"{owner}/{stream_id}/{partition}"


def progress_of(owner: str, transactions: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """The offsets among a table's transactions that `owner` has committed."""
    progress = {}
    for transaction, offset in transactions.items():
        committer, _, place = transaction.partition("/")
        if committer == owner:
            stream_id, _, partition = place.rpartition("/")
            progress[stream_id, int(partition)] = offset
    return progress
