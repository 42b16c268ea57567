"""Events by the address of an image, for mails and pages without scripts: `/pixel.gif?site=…&action=…&p.NAME=VALUE`.

Properties are also taken whole, as `properties={"NAME": VALUE}`; a `p.NAME` beside them counts more.
"""

import base64
from urllib.parse import parse_qsl

import msgspec

from ingest_api.almost_json import UNREADABLE

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent pixel."""

_PROPERTY = "p."
_OF_THE_REQUEST = frozenset({"key", "dry_run"})
_NUMBERS = frozenset({"datetimeStamp", "sentAt", "screenWidth"})

_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def event_of(query: str, referer: str | None) -> bytes:
    """The JSON of the event that a query string names: its fields by their names, `pageview` of the page by default.

    The key is not in it, so that it may be kept.
    """
    own: dict[str, object] = {"action": "pageview"}
    if referer is not None:
        own["url"] = referer
    properties: dict[str, object] = {}
    for name, value in parse_qsl(query, keep_blank_values=False):
        if name.startswith(_PROPERTY):
            properties[name.removeprefix(_PROPERTY)] = value
        elif name not in _OF_THE_REQUEST:
            own[name] = _number(value) if name in _NUMBERS else value
    if "properties" in own:
        own["properties"] = _with(str(own["properties"]), properties)
    elif properties:
        own["properties"] = properties
    return msgspec.json.encode(own)


def _with(whole: str, properties: dict[str, object]) -> object:
    """The properties of both; where the text is no object, something to be rejected that still shows both."""
    try:
        # Each value as it came, whatever is in it.
        return {**_object_decoder.decode(whole), **properties}
    except UNREADABLE:
        return [whole, properties] if properties else whole


def _number(text: str) -> float | str:
    try:
        return int(text)
    except ValueError:
        return text
