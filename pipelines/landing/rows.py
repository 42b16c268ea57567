"""Records of the stream to rows of the table `landed`: each record is an event or a dead letter. No I/O."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa

from event_stream.codec import decode_event
from event_stream.errors import InvalidEvent
from event_stream.event import Event
from event_stream.ports import Record, StreamPartition
from event_stream.rejection import MAX_KEPT_BYTES, decode_rejection
from event_stream.topics import REJECTED
from lake.raw_schema import DEAD_LETTER, EVENT, LANDED
from pipelines.landing.canonical import decode_canonical

_CHUNK = 500
"""Records that become columns at a time: events decoded just now are still in the processor's cache (measured)."""

_CANONICAL_CHUNK = 20_000
"""The same for events in canonical form; bounds the memory, and so many are as fast as more."""

_WORTHWHILE = 1_000
"""Fewer records are quicker decoded one by one (measured)."""

_FIELDS = Event.__struct_fields__
"""The columns of EVENT_COLUMNS in another order; a test holds them together."""

_ABSENT = (b"", b"null")


@dataclass(frozen=True)
class Rows:
    """What a batch of records is in the table; both tables have the columns of `landed`.

    `unreadable` counts the dead letters that this worker made; those that the collector rejected are not among them.
    `last_unreadable` says which record that was and why.
    """

    events: pa.Table
    dead_letters: pa.Table
    unreadable: int
    last_unreadable: str


def to_rows(records: Mapping[StreamPartition, Sequence[Record]], now: datetime) -> Rows:
    """One row for each record; `now` is when they are landed."""
    events: list[pa.RecordBatch] = []
    dead_letters: list[dict[str, Any]] = []
    unreadable, last_unreadable = 0, ""
    for place, records_here in records.items():
        decode = _decode_rejections if place.topic == REJECTED.name else _decode_events
        if place.topic != REJECTED.name and len(records_here) >= _WORTHWHILE:
            canonical, records_here = _canonical_rows(place, records_here, now)
            events.extend(canonical)
        for chunk_records in _chunks(records_here, _CHUNK):
            chunk = decode(chunk_records)
            if chunk.events:
                events.append(_event_rows(place, chunk, now))
            dead_letters.extend(_place(place, record, now) | row for record, row in chunk.dead_letters)
            unreadable += chunk.unreadable
            last_unreadable = chunk.last_unreadable or last_unreadable
    return Rows(
        pa.Table.from_batches(events, LANDED),
        pa.Table.from_pylist(dead_letters, LANDED),
        unreadable,
        last_unreadable,
    )


class _Chunk:
    """Some records of one stream partition, told apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.event_records: list[Record] = []
        self.dead_letters: list[tuple[Record, dict[str, Any]]] = []
        self.unreadable = 0
        self.last_unreadable = ""

    def add_unreadable(self, record: Record, error: InvalidEvent) -> None:
        self.unreadable += 1
        self.last_unreadable = f"{record.place.topic}[{record.place.partition}] offset {record.offset}: {error}"
        self.dead_letters.append(
            (
                record,
                {
                    "reason": error.reason,
                    "detail": error.detail,
                    "field": error.field,
                    "body": record.value[:MAX_KEPT_BYTES],
                    "body_length": len(record.value),
                    "body_sha256": hashlib.sha256(record.value).hexdigest(),
                },
            )
        )


def _decode_events(records: Sequence[Record]) -> _Chunk:
    chunk = _Chunk()
    for record in records:
        try:
            chunk.events.append(decode_event(record.value))
        except InvalidEvent as error:
            chunk.add_unreadable(record, error)
        else:
            chunk.event_records.append(record)
    return chunk


def _decode_rejections(records: Sequence[Record]) -> _Chunk:
    chunk = _Chunk()
    for record in records:
        try:
            rejection = decode_rejection(record.value)
        except InvalidEvent as error:
            chunk.add_unreadable(record, error)
        else:
            chunk.dead_letters.append((record, msgspec.structs.asdict(rejection)))
    return chunk


def _canonical_rows(
    place: StreamPartition, records: Sequence[Record], now: datetime
) -> tuple[list[pa.RecordBatch], list[Record]]:
    """The rows of the records in canonical form, and the records that are not."""
    rows: list[pa.RecordBatch] = []
    left: list[Record] = []
    for chunk in _chunks(records, _CANONICAL_CHUNK):
        decoded = decode_canonical([record.value for record in chunk])
        if decoded.left:
            left.extend(chunk[index] for index in decoded.left)
            others = set(decoded.left)
            chunk = [record for index, record in enumerate(chunk) if index not in others]
        if chunk:
            columns = decoded.frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            rows.append(_rows(place, chunk, dict(zip(columns.column_names, columns.columns, strict=True)), now))
    return rows, left


def _event_rows(place: StreamPartition, chunk: _Chunk, now: datetime) -> pa.RecordBatch:
    values = zip(*map(msgspec.structs.astuple, chunk.events), strict=True)
    columns: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
    columns["properties"] = list(_texts(columns["properties"]))
    return _rows(place, chunk.event_records, columns, now)


def _rows(
    place: StreamPartition, records: Sequence[Record], columns: Mapping[str, Any], now: datetime
) -> pa.RecordBatch:
    count = len(records)
    places = {
        "kind": pa.repeat(EVENT, count),
        "landed_date": pa.repeat(now.date(), count),
        "stream_id": pa.repeat(place.stream_id, count),
        "kafka_partition": pa.repeat(place.partition, count),
        "kafka_offset": [record.offset for record in records],
        "kafka_timestamp": [_micros(record.timestamp) for record in records],
        "landed_at": pa.repeat(now, count),
    }
    arrays = [_array(places.get(field.name, columns.get(field.name)), field, count) for field in LANDED]
    return pa.RecordBatch.from_arrays(arrays, schema=LANDED)


def _array(values: Any, field: pa.Field, count: int) -> pa.Array:
    if values is None:
        return pa.nulls(count, field.type)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.cast(field.type) if isinstance(values, pa.Array) else pa.array(values, field.type)


def _chunks(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    return (records[start : start + size] for start in range(0, len(records), size))


def _texts(properties: Sequence[msgspec.Raw]) -> Iterator[str | None]:
    for raw in properties:
        text = bytes(raw)
        yield None if text in _ABSENT else text.decode()


def _place(place: StreamPartition, record: Record, now: datetime) -> dict[str, Any]:
    return {
        "kind": DEAD_LETTER,
        "landed_date": now.date(),
        "stream_id": place.stream_id,
        "kafka_partition": place.partition,
        "kafka_offset": record.offset,
        "kafka_timestamp": _micros(record.timestamp),
        "landed_at": now,
    }


def _micros(milliseconds: int) -> int | None:
    """Kafka's timestamp in microseconds; it says -1 for none."""
    return milliseconds * 1_000 if milliseconds >= 0 else None
