"""The payloads of Plausible's script and events API, in our grammar.

Plausible                          here
n, name                            action
u, url                             url
d, domain                          site; of a list the first
r, referrer                        referrer
w, screen_width                    screenWidth
p, props, m, meta                  properties, as an object or as JSON text
$, revenue                         revenue of the properties
i, interactive                     interactive of the properties, where it is false
e, sd of an `engagement`           engagedMs, scrollDepth of the properties, as logektor.js sends them

v and h, the version of the script and its routing by fragments, are left out.
"""

from typing import Any

import msgspec

from ingest_api.errors import EventRejected
from ingest_api.tracked_event import UNREADABLE, TrackedEvent, read_tracked_event

_payload_decoder = msgspec.json.Decoder(dict[str, Any])

_SHORT = {
    "n": "name",
    "u": "url",
    "d": "domain",
    "r": "referrer",
    "w": "screen_width",
    "p": "props",
    "m": "meta",
    "$": "revenue",
    "i": "interactive",
    "e": "engagement_time",
    "sd": "scroll_depth",
}
_NAMES = {"action": "name", "site": "domain", "screenWidth": "screen_width", "properties": "props"}


def read_payload(body: bytes) -> TrackedEvent:
    """The event that a payload is. Raises EventRejected."""
    said = _payload(body)
    properties = _properties(said.get("props", said.get("meta")))
    if said.get("revenue") is not None:
        properties["revenue"] = _json(said["revenue"])
    if said.get("interactive") is False:
        properties["interactive"] = False
    for name, ours in (("engagement_time", "engagedMs"), ("scroll_depth", "scrollDepth")):
        if said.get(name) is not None:
            properties[ours] = said[name]
    own = {
        "action": said.get("name"),
        "site": _first(said.get("domain")),
        "url": said.get("url"),
        "referrer": said.get("referrer"),
        "screenWidth": said.get("screen_width"),
        "properties": properties or None,
    }
    try:
        return read_tracked_event(msgspec.json.encode(own))
    except EventRejected as rejection:
        field = _NAMES.get(rejection.field or "", rejection.field)
        raise EventRejected(rejection.code, rejection.message, field) from rejection


def claimed_domain(body: bytes) -> str | None:
    """The site that a payload names, though it may be no event otherwise."""
    try:
        domain = _first(_payload(body).get("domain"))
    except EventRejected:
        return None
    return domain if isinstance(domain, str) else None


def _payload(body: bytes) -> dict[str, Any]:
    """By the long names. Raises EventRejected."""
    try:
        said = _payload_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise EventRejected("invalid", "The body is not an object.") from error
    except UNREADABLE as error:
        raise EventRejected("undecodable", f"The body is not JSON in UTF-8: {error}.") from error
    return {_SHORT.get(name, name): value for name, value in said.items()}


def _properties(said: object) -> dict[str, Any]:
    said = _json(said)
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise EventRejected("invalid", "props: expected an object, or the JSON text of one.", "props")
    return dict(said)


def _json(said: object) -> object:
    """What a text says, where it is JSON."""
    if not isinstance(said, str):
        return said
    try:
        return msgspec.json.decode(said)
    except UNREADABLE:
        return said


def _first(domains: object) -> object:
    return domains.partition(",")[0].strip() if isinstance(domains, str) else domains
