"""Records to bytes and back: UTF-8 JSON that any language can read."""

import re

import msgspec

from event_stream.errors import InvalidEvent
from event_stream.event import INGEST_VERSION, MAX_EVENT_BYTES, NO_PROPERTIES, Event

_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(Event)

_FIELD = re.compile(r"`\$\.(\w+)|required field `(\w+)`")
"""How msgspec names the field that is wrong or missing."""


class _Version(msgspec.Struct, rename="camel"):
    ingest_version: int


_version_decoder = msgspec.json.Decoder(_Version)


def encode_event(event: Event) -> bytes:
    """The value of the event's record on `logektor.events.v1`."""
    return _encoder.encode(event)


def decode_event(value: bytes) -> Event:
    """The event of a record's value.

    Raises InvalidEvent with the reason `too_large`, `undecodable`, `unknown_version` or `invalid`.
    """
    if len(value) > MAX_EVENT_BYTES:
        raise InvalidEvent("too_large", f"{len(value)} bytes, at most {MAX_EVENT_BYTES} are allowed")
    try:
        event = _event_decoder.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _reason(value, error) from error
    if event.properties is not NO_PROPERTIES:
        _check_properties(bytes(event.properties))
    return event


def _check_properties(properties: bytes) -> None:
    """What msgspec leaves open in a value that it does not decode."""
    if not properties.lstrip().startswith((b"{", b"null")):
        raise InvalidEvent("invalid", "Expected `object` - at `$.properties`", "properties")
    try:
        properties.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent("undecodable", f"{error} - at `$.properties`", "properties") from error


def _reason(value: bytes, error: Exception) -> InvalidEvent:
    """Tells a record that is no JSON, one of another version and a wrong field apart."""
    if not isinstance(error, msgspec.ValidationError):
        return InvalidEvent("undecodable", str(error))
    try:
        version = _version_decoder.decode(value).ingest_version
    except (msgspec.ValidationError, msgspec.DecodeError):
        return InvalidEvent("invalid", str(error), _field(error))
    if version != INGEST_VERSION:
        return InvalidEvent("unknown_version", f"ingestVersion {version}, this worker reads {INGEST_VERSION}")
    return InvalidEvent("invalid", str(error), _field(error))


def _field(error: msgspec.ValidationError) -> str | None:
    found = _FIELD.search(str(error))
    return found[1] or found[2] if found else None
