"""Lands rows as the worker does: events, and a dead letter behind them, in one commit."""

import random
from datetime import UTC, datetime

import pyarrow as pa

from lake.landing_table import DeltaLandingTable
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED

P0 = ("cluster/events", 0)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rows(kind: str, first: int, end: int, now: datetime = NOON) -> pa.Table:
    """A row per offset; what differs from row to row in reality differs here."""
    number = end - first
    values = random.Random(first)
    same = {
        "kind": kind,
        "landed_date": now.date(),
        "landed_at": now,
        "stream_id": P0[0],
        "kafka_partition": P0[1],
        "site": "shop.example",
    }
    each = {
        "kafka_offset": range(first, end),
        "event_id": (values.randbytes(16).hex() for _ in range(number)),
        "visitor_id": (f"{values.randrange(100_000):x}" for _ in range(number)),
        "url": (f"https://shop.example/articles/{values.randrange(5_000)}/in-full" for _ in range(number)),
        "properties": (f'{{"price":{values.random()}}}' for _ in range(number)),
    }
    columns = [
        pa.array([same[field.name]] * number if field.name in same else list(each[field.name]), field.type)
        if field.name in same or field.name in each
        else pa.nulls(number, field.type)
        for field in LANDED
    ]
    return pa.table(columns, schema=LANDED)


def land(writer: DeltaLandingTable, first: int, now: datetime = NOON, *, events: int = 9) -> None:
    """Some events and a dead letter in one commit."""
    last = first + events
    writer.append(rows(EVENT, first, last, now), rows(DEAD_LETTER, last, last + 1, now), {P0: first}, {P0: last + 1})
