"""An event counts once, however often it was sent: which of its rows that is, and what new rows change."""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

EVENT = ("site", "event_id")
PLACE = ("stream_id", "kafka_partition", "kafka_offset")
ORDER = ("received_at", *PLACE)

WINDOW = timedelta(days=30)
"""How far apart two rows of other days may be received and still be the same event."""


@dataclass(frozen=True)
class Merge:
    """What new rows do to a table of first rows.

    `added`: the new rows that count. `displaced`: rows of the table that don't count any more, because an earlier
    row of the same event came later. Where none is displaced, the table with `added` appended equals `first_of_each` of
    all rows ever seen. A displaced row may have kept out others that are not at hand here: then the events named
    in `displaced` are to be decided anew by `first_of_each` of all their raw rows.
    """

    added: pl.DataFrame
    displaced: pl.DataFrame


def first_of_each(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that count, in any order of rows.

    Rows of one (site, event_id) are gone through in the order of (received_at, stream_id, kafka_partition,
    kafka_offset). A row counts unless an earlier one that counts has the same event_date, or was received at most
    30 days before it.
    """
    repeated = pl.struct(EVENT).is_duplicated()
    kept = [rows.filter(~repeated)]
    rest = rows.filter(repeated).sort(ORDER)
    while not rest.is_empty():
        firsts = rest.unique(EVENT, keep="first", maintain_order=True)
        kept.append(firsts)
        rest = _unrelated(rest, firsts)
    return pl.concat(kept)


def _unrelated(rows: pl.DataFrame, firsts: pl.DataFrame) -> pl.DataFrame:
    """The rows that are not duplicates of the first row of their event."""
    first = firsts.select(*EVENT, first_date="event_date", first_received_at="received_at")
    another_day = pl.col("event_date") != pl.col("first_date")
    long_after = pl.col("received_at") - pl.col("first_received_at") > WINDOW
    return (
        rows.join(first, on=EVENT, maintain_order="left")
        .filter(another_day & long_after)
        .drop("first_date", "first_received_at")
    )


def merge_new(existing: pl.DataFrame, new: pl.DataFrame) -> Merge:
    """What `new` rows do to the `existing` rows that count, of the same columns.

    `existing` may be the whole table, or only its rows of the events in `new` that have an event_date of one of
    their new rows or were received within 30 days of one. A row of `new` that is already there changes nothing.
    """
    counting = first_of_each(pl.concat([existing, new]))
    return Merge(
        added=counting.join(existing, on=PLACE, how="anti"),
        displaced=existing.join(counting, on=PLACE, how="anti"),
    )
