"""What the languages of clients write for JSON though it is none, as JSON."""

import json

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
