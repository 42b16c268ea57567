"""What is decoded many at a time gives the same rows as one by one, whatever the records are."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import msgspec
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from event_stream.codec import encode_event
from event_stream.event import MAX_EVENT_BYTES, Event
from event_stream.ports import Record, StreamPartition
from event_stream.topics import EVENTS
from pipelines.landing import rows as landing_rows
from pipelines.landing.canonical import decode_canonical
from pipelines.landing.rows import to_rows

GOLDEN = [file.read_bytes() for file in (Path(__file__).parents[1] / "golden" / "events" / "v1").glob("*.json")]
PLACE = StreamPartition("cluster/events", EVENTS.name, 3)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    [
        '"',
        "\\",
        ',"properties":{',
        '","properties":{"a":1',
        "}",
        "\n",
        "\x00",
        "\x7f",
        "\u2028",
        "ü" * 120,
        "x" * 201,
        "2026-01-01",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
properties = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(),
    st.dictionaries(texts, values, max_size=3),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
micros = st.integers(0, 253_402_300_799_999_999) | st.sampled_from([10**17 - 1, 10**17])
events = st.builds(
    Event,
    event_id=texts,
    site=texts,
    action=texts,
    object_type=texts,
    occurred_at=micros,
    received_at=micros,
    ingest_version=st.sampled_from([1, 1, 1, 2]),
    **{
        name: st.none() | texts
        for name in ("object_id", "subject_type", "subject_id", "visitor_id", "user_id", "session_id")
    },
    **{name: st.none() | st.just("") | texts for name in ("url", "referrer", "title", "language", "user_agent")},
    screen_width=st.none() | st.integers(-1, 100_001),
    country=st.none() | st.sampled_from(["DE", "ÜÜ", "D", '"D', ""]),
    clock_adjusted=st.booleans(),
    properties=st.just(msgspec.Raw()) | properties.map(msgspec.Raw),
)
written = events.map(encode_event)


def changed(value: bytes, seed: int) -> bytes:
    """The record with a few of its pieces removed, repeated, exchanged or put in."""
    at = random.Random(seed)
    pieces = [
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b",",
        b":",
        b"\n",
        b" ",
        b"0",
        b"-",
        b".5",
        b"e9",
        b"null",
        b"\xff",
        b"\xc3",
    ]
    pieces += [b"\\ud800", b"\\u0041", b"\\u00e9", b'"site":"other",', b',"properties":{"a":1}', b"1" * 30, b"\\/"]
    for _ in range(at.randint(1, 3)):
        start = at.randrange(len(value) + 1)
        end = min(len(value), start + at.choice([0, 0, 1, 5]))
        value = value[:start] + at.choice(pieces) + value[end:]
    return value


records = st.one_of(
    written,
    st.builds(changed, written, st.integers(0)),
    st.builds(changed, st.sampled_from(GOLDEN), st.integers(0)),
    st.sampled_from(GOLDEN),
    st.binary(max_size=20),
)


def land(values: Sequence[bytes], *, worthwhile: int) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """All rows in the order of their offsets, with the vectorised decoder from `worthwhile` records on."""
    with patch.object(landing_rows, "_WORTHWHILE", worthwhile), patch.object(landing_rows, "_CANONICAL_CHUNK", 3):
        rows = to_rows({PLACE: [Record(PLACE, number, number - 1, v) for number, v in enumerate(values)]}, NOW)
    events, dead_letters = (pl.DataFrame(each).sort("kafka_offset") for each in (rows.events, rows.dead_letters))
    return events, dead_letters, rows.unreadable


PLAIN = encode_event(
    Event("e", "s", "a", "o", 1, 1, 1, title="t", properties=msgspec.Raw(b'{"a":"b"}')),
)


def assert_alike(values: Sequence[bytes]) -> None:
    for vectorised, one_by_one in zip(land(values, worthwhile=0), land(values, worthwhile=10**9), strict=True):
        if isinstance(vectorised, pl.DataFrame) and isinstance(one_by_one, pl.DataFrame):
            assert_frame_equal(vectorised, one_by_one)
        else:
            assert vectorised == one_by_one


@settings(max_examples=150, deadline=None)
@given(st.lists(records, max_size=8))
@example([])
@example([PLAIN + b"\n" + PLAIN, b""])
@example([PLAIN[:20], PLAIN[20:]])
def test_vectorised_is_per_record(values: list[bytes]) -> None:
    assert_alike(values)


@pytest.mark.parametrize(
    "value",
    [
        PLAIN.replace(b'"t"', b'"\\ud800"'),
        PLAIN.replace(b'"b"', b'"\\ud800"'),
        PLAIN.replace(b'"b"', b'"\\ud83d\\ude00"'),
        PLAIN.replace(b'"b"', b'"\\x41"'),
        PLAIN.replace(b'"b"', b'"a\nb"'),
        PLAIN.replace(b'"b"', b"1e999"),
        PLAIN.replace(b'"b"', b"-0"),
        PLAIN.replace(b'"b"', b"01"),
        PLAIN.replace(b'"b"', b"1."),
        PLAIN.replace(b'"b"', b"NaN"),
        PLAIN.replace(b'"b"', b"1" * 400),
        PLAIN.replace(b'"b"', b"[" * 900 + b"]" * 900),
        PLAIN.replace(b'"b"', b"[" * 5000 + b"]" * 5000),
        PLAIN.replace(b'"b"', b'{"c":{"d":{"e":[[[1]]]}}}'),
        PLAIN.replace(b'{"a":"b"}', b'{"a":1,"a":2}'),
        PLAIN.replace(b'{"a":"b"}', b"{}"),
        PLAIN.replace(b'{"a":"b"}', b'{ "a" : [ ] , "b" : { } }'),
        PLAIN.replace(b'{"a":"b"}', b"null"),
        PLAIN.replace(b'{"a":"b"}', b'"{}"'),
        PLAIN.replace(b'{"a":"b"}', b'{"a":1,}'),
        PLAIN.replace(b'{"a":"b"}', b'{"a"}'),
        PLAIN.replace(b'"title":"t"', b'"title":1'),
        PLAIN.replace(b'"title":"t"', b'"title":null'),
        PLAIN.replace(b'"title":"t"', b'"title":{"a":1}'),
        PLAIN.replace(b'"title":"t"', b'"title":"t","title":"u"'),
        PLAIN.replace(b'"title":"t"', b'"unknown":"t"'),
        PLAIN.replace(b'"title":"t"', b'"clockAdjusted":false'),
        PLAIN.replace(b'"occurredAt":1', b'"occurredAt":1.0'),
        PLAIN.replace(b'"occurredAt":1', b'"occurredAt":-1'),
        PLAIN.replace(b'"occurredAt":1', b'"occurredAt":01'),
        PLAIN.replace(b'"site":"s"', b'"site":""'),
        PLAIN.replace(b'"title":"t"', b'"title":"t","screenWidth":100001'),
        PLAIN.replace(b'"title":"t"', b'"title":"t","country":"D"'),
        PLAIN.replace(b'"ingestVersion":1', b'"ingestVersion":2'),
        PLAIN.replace(b'"occurredAt":1', b'"occurredAt":' + b"9" * 25),
        PLAIN.replace(b'"occurredAt":1', b'"occurredAt":"1"'),
        PLAIN + b" ",
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN + PLAIN,
        PLAIN.replace(b'"b"', b'"' + b"x" * MAX_EVENT_BYTES + b'"'),
        b"",
        b"[1]",
        b"null",
    ],
)
def test_what_json_decoders_read_differently_is_read_alike(value: bytes) -> None:
    assert_alike([PLAIN, value, PLAIN])


@pytest.mark.parametrize(
    "properties",
    [
        b"{}",
        b'{"section":"articles","words":1234,"ratio":0.5,"paid":true,"author":null}',
        b'{"items": [{"id": "1", "price": 9.5}, {"id": "2", "price": 3}], "tags": ["a", "b"]}',
        b'{"name":"J\\u00fcrgen","face":"\\ud83d\\ude00"}',
    ],
)
def test_what_the_collector_writes_is_canonical(properties: bytes) -> None:
    event = Event(
        *("e-1", "example.com", "pageview", "visitor", 1_795_501_430_362_001, 1_795_501_430_362_002, 1),
        title='„Tee & Kuchen“ – ein "Bericht" \\o/',
        screen_width=1440,
        country="DE",
        clock_adjusted=True,
        properties=msgspec.Raw(properties),
    )
    assert decode_canonical([encode_event(event)] * 3).left == []


def test_what_is_not_canonical_is_left_and_spoils_no_other() -> None:
    decoded = decode_canonical([PLAIN, b" " + PLAIN, PLAIN, b"\xff", PLAIN.replace(b'"s"', b'"' + b"s" * 201 + b'"')])
    assert decoded.left == [1, 3, 4]
    assert decoded.frame["title"].to_list() == ["t", "t"]
