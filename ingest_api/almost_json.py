"""What the languages of clients write for JSON though it is none, as JSON."""

import json
from typing import TypeVar

import msgspec

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON."""

_MOST_VALUES = 100_000
"""A body with more commas is given up: an object is made of each value, and they would fill the memory."""


def mended(body: bytes) -> bytes:
    """NaN and Infinity, which Python writes, as null, and half a character, as JavaScript cuts one, as `?`.

    Raises ValueError or RecursionError where the body is not JSON for another reason.
    """
    if body.count(b",") > _MOST_VALUES:
        raise ValueError("too many values")
    said = json.loads(body.decode(), parse_constant=lambda _: None)
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """What the bytes are, or almost are: half a character in one of many events must not cost the others.

    Raises msgspec.ValidationError where it is something else, and what UNREADABLE lists where it is not even nearly
    JSON.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except UNREADABLE as error:
        try:
            return decoder.decode(mended(body))
        except msgspec.ValidationError:
            raise
        except (ValueError, *UNREADABLE):
            raise error from None
