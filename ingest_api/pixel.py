"""Events by the address of an image, for mails and pages without scripts: `/pixel.gif?site=…&action=…&p.NAME=VALUE`."""

import base64
from urllib.parse import parse_qsl

import msgspec

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent pixel."""

_PROPERTY = "p."
_OF_THE_REQUEST = frozenset({"key", "dry_run"})
_NUMBERS = frozenset({"datetimeStamp", "sentAt", "screenWidth"})


def event_of(query: str, referer: str | None) -> bytes:
    """The JSON of the event that a query string names: its fields by their names, `pageview` of the page by default.

    The key is not in it, so that it may be kept.
    """
    own: dict[str, object] = {"action": "pageview"}
    if referer is not None:
        own["url"] = referer
    properties = {}
    for name, value in parse_qsl(query, keep_blank_values=False):
        if name.startswith(_PROPERTY):
            properties[name.removeprefix(_PROPERTY)] = value
        elif name not in _OF_THE_REQUEST:
            own[name] = _number(value) if name in _NUMBERS else value
    if properties:
        own["properties"] = properties
    return msgspec.json.encode(own)


def _number(text: str) -> float | str:
    try:
        return int(text)
    except ValueError:
        return text
