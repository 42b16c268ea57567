"""Records to bytes and back, and the golden events that are accepted for ever."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_stream.codec import decode_event, encode_event
from event_stream.errors import InvalidEvent
from event_stream.event import MAX_EVENT_BYTES, NO_PROPERTIES, Event
from event_stream.rejection import MAX_KEPT_BYTES, MAX_REJECTION_BYTES, Rejection, decode_rejection, encode_rejection

GOLDEN = Path(__file__).parents[1] / "golden" / "events" / "v1"

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
micros = st.integers(0, 253_402_300_799_999_999)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
events = st.builds(
    Event,
    event_id=texts,
    site=texts,
    action=texts,
    object_type=texts,
    object_id=st.none() | texts,
    subject_type=st.none() | texts,
    occurred_at=micros,
    received_at=micros,
    visitor_id=st.none() | texts,
    screen_width=st.none() | st.integers(0, 100_000),
    clock_adjusted=st.booleans(),
    properties=st.just(NO_PROPERTIES)
    | st.dictionaries(texts, json_values, max_size=3).map(lambda value: msgspec.Raw(msgspec.json.encode(value))),
    ingest_version=st.just(1),
)


def fields(event: Event) -> Mapping[str, Any]:
    """All fields, the properties as bytes, so that two events can be compared."""
    return {name: getattr(event, name) for name in event.__struct_fields__} | {"properties": bytes(event.properties)}


def test_there_are_golden_events() -> None:
    assert len(list(GOLDEN.glob("*.json"))) >= 5


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_a_golden_event_is_read_field_by_field(file: Path) -> None:
    value = file.read_bytes()
    expected = json.loads(value)
    event = decode_event(value)
    for name, encoded in zip(event.__struct_fields__, event.__struct_encode_fields__, strict=True):
        if encoded == "properties":
            assert json.loads(bytes(event.properties) or b"{}") == expected.get("properties", {})
        elif encoded in expected:
            assert getattr(event, name) == expected[encoded]


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_a_golden_event_survives_being_written_again(file: Path) -> None:
    event = decode_event(file.read_bytes())
    assert fields(decode_event(encode_event(event))) == fields(event)


@given(events)
def test_what_is_written_is_what_is_read(event: Event) -> None:
    assert fields(decode_event(encode_event(event))) == fields(event)


@given(events)
def test_a_record_is_json_that_any_language_reads(event: Event) -> None:
    document = json.loads(encode_event(event).decode("utf-8"))
    assert document["eventId"] == event.event_id
    assert document["ingestVersion"] == 1
    assert ("properties" in document) == (event.properties is not NO_PROPERTIES)


@given(st.binary(max_size=200) | json_values.map(msgspec.json.encode))
def test_any_bytes_are_an_event_or_an_invalid_one(value: bytes) -> None:
    try:
        decode_event(value)
    except InvalidEvent as error:
        assert error.reason in {"undecodable", "invalid", "unknown_version", "too_large"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "undecodable"),
        (b"{", "undecodable"),
        (b"\xff\xfe", "undecodable"),
        (b'{"a":' + b"[" * 50_000, "undecodable"),
        (b"[1]", "invalid"),
        (b"null", "invalid"),
        (b"{}", "invalid"),
        (b'{"ingestVersion": 2}', "unknown_version"),
        (b" " * (MAX_EVENT_BYTES + 1), "too_large"),
    ],
)
def test_what_is_no_event_has_its_reason(value: bytes, reason: str) -> None:
    with pytest.raises(InvalidEvent) as raised:
        decode_event(value)
    assert raised.value.reason == reason


def test_properties_are_an_object_or_absent() -> None:
    fewest = json.loads((GOLDEN / "fewest_fields.json").read_bytes())
    with pytest.raises(InvalidEvent, match="properties"):
        decode_event(msgspec.json.encode(fewest | {"properties": [1]}))


@given(st.binary(max_size=300), texts, st.none() | texts)
def test_a_rejection_keeps_the_bytes_as_they_came(body: bytes, detail: str, site: str | None) -> None:
    rejection = Rejection.of(body, reason="invalid", detail=detail, received_at=1, site=site)
    assert decode_rejection(encode_rejection(rejection)) == rejection
    assert rejection.body == body


def test_a_large_body_is_cut_but_its_length_and_hash_are_the_whole_ones() -> None:
    body = b"x" * (MAX_KEPT_BYTES + 1)
    rejection = Rejection.of(body, reason="too_large", detail="too large", received_at=1)
    assert len(rejection.body) == MAX_KEPT_BYTES
    assert rejection.body_length == len(body)
    assert rejection.body_sha256 == hashlib.sha256(body).hexdigest()
    assert len(encode_rejection(rejection)) <= MAX_REJECTION_BYTES
