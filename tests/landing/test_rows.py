"""Each record becomes one row: an event or a dead letter."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_stream.codec import encode_event
from event_stream.event import INGEST_VERSION, MAX_EVENT_BYTES, Event
from event_stream.ports import Record, StreamPartition
from event_stream.rejection import MAX_KEPT_BYTES, Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED
from lake.raw_schema import EVENT_COLUMNS, LANDED
from pipelines.landing.rows import Rows, to_rows

NOW = datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC)
EVENTS_0 = StreamPartition("cluster/events", EVENTS.name, 0)
REJECTED_0 = StreamPartition("cluster/rejected", REJECTED.name, 0)

EVENT = Event(
    event_id="e-1",
    site="example.com",
    action="pageview",
    object_type="visitor",
    occurred_at=1_795_501_430_362_001,
    received_at=1_795_501_430_362_002,
    screen_width=1440,
    properties=msgspec.Raw(b'{"plan": "pro", "seats": 12345678901234567890123}'),
    ingest_version=INGEST_VERSION,
)
GOOD = encode_event(EVENT)


def land(*values: bytes, place: StreamPartition = EVENTS_0) -> Rows:
    return to_rows({place: [Record(place, 7 + number, 1_795_501_430_500, v) for number, v in enumerate(values)]}, NOW)


def dead_letters(rows: Rows) -> Sequence[dict[str, object]]:
    return pl.DataFrame(rows.dead_letters).to_dicts()


def test_the_columns_are_the_fields_of_the_event() -> None:
    assert sorted(Event.__struct_fields__) == sorted(EVENT_COLUMNS.names)


def test_an_event_keeps_every_field_and_its_place() -> None:
    rows = land(GOOD)
    assert rows.events.schema == LANDED
    assert rows.dead_letters.num_rows == rows.unreadable == 0
    (row,) = pl.DataFrame(rows.events).to_dicts()
    filled = {name: value for name, value in row.items() if value is not None}
    assert filled == {
        "kind": "event",
        "landed_date": date(2026, 11, 24),
        "stream_id": "cluster/events",
        "kafka_partition": 0,
        "kafka_offset": 7,
        "kafka_timestamp": datetime(2026, 11, 24, 6, 23, 50, 500_000, tzinfo=UTC),
        "landed_at": NOW,
        "event_id": "e-1",
        "site": "example.com",
        "action": "pageview",
        "object_type": "visitor",
        "occurred_at": datetime(2026, 11, 24, 6, 23, 50, 362_001, tzinfo=UTC),
        "received_at": datetime(2026, 11, 24, 6, 23, 50, 362_002, tzinfo=UTC),
        "screen_width": 1440,
        "clock_adjusted": False,
        "properties": '{"plan": "pro", "seats": 12345678901234567890123}',
        "ingest_version": 1,
    }


@pytest.mark.parametrize("properties", [b"null", b""])
def test_absent_properties_are_null(properties: bytes) -> None:
    value = GOOD.replace(b',"properties":' + bytes(EVENT.properties), b"")
    if properties:
        value = GOOD.replace(bytes(EVENT.properties), properties)
    assert land(value).events["properties"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "undecodable"),
        (b"not json", "undecodable"),
        (b"[1]", "invalid"),
        (b"null", "invalid"),
        (GOOD + GOOD, "undecodable"),
        (GOOD.replace(b'"pro"', b'"\xff"'), "undecodable"),
        (GOOD.replace(b"pageview", b"\xff"), "undecodable"),
        (GOOD.replace(b'"ingestVersion":1', b'"ingestVersion":2'), "unknown_version"),
        (GOOD.replace(b'"screenWidth":1440', b'"screenWidth":"wide"'), "invalid"),
        (GOOD.replace(b'"site":"example.com",', b""), "invalid"),
        (GOOD.replace(bytes(EVENT.properties), b"[1]"), "invalid"),
        (b"[" * 100_000, "too_large"),
        (GOOD.replace(b'"pro"', b"[" * 10_000), "undecodable"),
    ],
)
def test_a_poison_record_is_kept_whole_and_spoils_no_other(value: bytes, reason: str) -> None:
    rows = land(GOOD, value, GOOD)
    assert rows.events["kafka_offset"].to_pylist() == [7, 9]
    assert rows.unreadable == 1
    assert rows.last_unreadable.startswith(f"logektor.events.v1[0] offset 8: {reason}: ")
    (row,) = dead_letters(rows)
    assert row["kafka_offset"] == 8
    assert row["reason"] == reason
    assert row["detail"]
    assert row["body"] == value[:MAX_KEPT_BYTES]
    assert row["body_length"] == len(value)
    assert row["body_sha256"] == hashlib.sha256(value).hexdigest()
    assert row["site"] is None


def test_what_the_collector_rejected_keeps_its_own_reason_and_bytes() -> None:
    body = b"x" * (MAX_EVENT_BYTES + 1)
    rejection = Rejection.of(
        body, reason="too_large", detail="65537 bytes", field="properties", site="example.com", received_at=1_000_001
    )
    rows = land(encode_rejection(rejection), b"{}", place=REJECTED_0)
    assert rows.unreadable == 1
    kept, unreadable = dead_letters(rows)
    assert {name: value for name, value in kept.items() if value is not None} == {
        "kind": "dead_letter",
        "landed_date": date(2026, 11, 24),
        "stream_id": "cluster/rejected",
        "kafka_partition": 0,
        "kafka_offset": 7,
        "kafka_timestamp": datetime(2026, 11, 24, 6, 23, 50, 500_000, tzinfo=UTC),
        "landed_at": NOW,
        "site": "example.com",
        "received_at": datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC),
        "reason": "too_large",
        "detail": "65537 bytes",
        "field": "properties",
        "body": body[:MAX_KEPT_BYTES],
        "body_length": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
    }
    assert (unreadable["reason"], unreadable["body"], unreadable["site"]) == ("undecodable", b"{}", None)


def test_a_record_without_a_timestamp_has_none() -> None:
    rows = to_rows({EVENTS_0: [Record(EVENTS_0, 0, -1, GOOD)]}, NOW)
    assert rows.events["kafka_timestamp"].to_pylist() == [None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.just(GOOD), st.binary(max_size=40)), max_size=1_200))
def test_each_record_is_one_row(values: list[bytes]) -> None:
    rows = land(*values)
    offsets = rows.events["kafka_offset"].to_pylist() + rows.dead_letters["kafka_offset"].to_pylist()
    assert sorted(offsets) == list(range(7, 7 + len(values)))
    assert rows.unreadable == rows.dead_letters.num_rows
