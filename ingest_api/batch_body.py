"""The events in the body of a batch: a JSON array, {"batch": [...]} or one event a line."""

import re
from collections.abc import Sequence
from itertools import islice

import msgspec

from ingest_api.almost_json import UNREADABLE, decoded, mended
from ingest_api.errors import EventRejected, RequestRefused
from ingest_api.requests import NDJSON_TYPES


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]


_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_batch_decoder = msgspec.json.Decoder(_Batch)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LINE = re.compile(rb"\S.*")

_MOST_VALUES_AN_EVENT = 256
"""A body with more commas than this for each event that it may hold is not split: its pieces would fill the memory."""


def is_one_a_line(media_type: str) -> bool:
    """Whether the request itself says so; where it does not, the body may show it."""
    return media_type in NDJSON_TYPES


def split_batch(body: bytes, media_type: str, max_events: int) -> Sequence[bytes]:
    """The bytes of each event. Raises EventRejected where the body is no batch, RequestRefused where it is too long."""
    events = _split(body, media_type, max_events)
    require_few_events(len(events), max_events)
    return events


def require_few_values(body: bytes, max_events: int, counted: bytes = b",") -> None:
    """Raises RequestRefused."""
    if body.count(counted) > _MOST_VALUES_AN_EVENT * max_events:
        raise _too_long(max_events)


def require_few_lines(body: bytes, max_events: int) -> None:
    """Raises RequestRefused, before a body of millions of lines is split."""
    if body.count(b"\n") >= max_events and any(islice(_LINE.finditer(body), max_events, None)):
        raise _too_long(max_events)


def require_few_events(count: int, max_events: int) -> None:
    """Raises RequestRefused."""
    if count > max_events:
        raise RequestRefused(413, "too_many_events", f"The batch has {count} events; at most {max_events} are allowed.")


def _split(body: bytes, media_type: str, max_events: int) -> Sequence[bytes]:
    if is_one_a_line(media_type):
        return _lines(body, max_events)
    try:
        return _split_json(body, max_events)
    except UNREADABLE as error:
        # One event with half a character must not cost the others.
        try:
            return _split_json(mended(body), max_events)
        except (ValueError, RecursionError):
            raise EventRejected("undecodable", f"The body is not JSON in UTF-8: {error}.") from error


def _split_json(body: bytes, max_events: int) -> Sequence[bytes]:
    """Raises EventRejected where it is JSON and no batch."""
    try:
        if body.lstrip()[:1] == b"[":
            return [bytes(event) for event in _array_decoder.decode(body)]
        if _looks_one_a_line(body):
            return _lines(body, max_events)
        return [bytes(event) for event in _batch_decoder.decode(body).batch]
    except msgspec.ValidationError:
        raise EventRejected(
            "invalid", 'The body is neither an array of events nor {"batch": [...]} nor one event a line.'
        ) from None


def _looks_one_a_line(body: bytes) -> bool:
    """Whether the first line is an object by itself, and not the batch."""
    first = body.lstrip().partition(b"\n")[0]
    try:
        return "batch" not in decoded(_object_decoder, first)
    except (msgspec.ValidationError, *UNREADABLE):
        return False


def _lines(body: bytes, max_events: int) -> Sequence[bytes]:
    require_few_lines(body, max_events)
    return [line for line in body.split(b"\n") if line.strip()]


def _too_long(max_events: int) -> RequestRefused:
    return RequestRefused(413, "too_many_events", f"The batch is too long; at most {max_events} events are allowed.")
