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

from event_stream.event import MAX_EVENT_BYTES
from ingest_api.almost_json import UNREADABLE, decoded
from ingest_api.errors import EventRejected
from ingest_api.tracked_event import TrackedEvent, read_tracked_event


class _Claim(msgspec.Struct):
    d: str | None = None
    domain: str | None = None


_payload_decoder = msgspec.json.Decoder(dict[str, Any])
_value_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_claim_decoder = msgspec.json.Decoder(_Claim)

_MAX_PAYLOAD_BYTES = 4 * MAX_EVENT_BYTES
"""More than an event of ours can have, and no more objects than fit into the memory."""

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
    properties = _properties(said)
    if said.get("revenue") is not None:
        properties["revenue"] = _json(said["revenue"])
    if said.get("interactive") is False:
        properties["interactive"] = False
    for name, ours in (("engagement_time", "engagedMs"), ("scroll_depth", "scrollDepth")):
        if said.get(name) is not None:
            properties[ours] = said[name]
    domain = said.get("domain")
    own = {
        "action": said.get("name"),
        "site": _first(domain) if isinstance(domain, str) else domain,
        "url": said.get("url"),
        "referrer": said.get("referrer"),
        "screenWidth": said.get("screen_width"),
        "properties": properties or None,
    }
    try:
        return read_tracked_event(msgspec.json.encode(own))
    except EventRejected as rejection:
        field = _NAMES.get(rejection.field or "", rejection.field)
        message = rejection.message
        if rejection.field is not None and field is not None:
            message = message.replace(rejection.field, field, 1)
        raise EventRejected(rejection.code, message, field) from rejection
    except RecursionError:
        # It could just be read, and is deeper here.
        raise EventRejected("invalid", "The payload is nested too deeply.") from None


def claimed_domain(body: bytes) -> str | None:
    """The site that a payload names, though it may be no event otherwise."""
    try:
        claim = decoded(_claim_decoder, body)
    except UNREADABLE:
        return None
    domain = claim.d if claim.domain is None else claim.domain
    return None if domain is None else _first(domain)


def _payload(body: bytes) -> dict[str, Any]:
    """By the long names. Raises EventRejected."""
    if len(body) > _MAX_PAYLOAD_BYTES:
        raise EventRejected(
            "too_large", f"The payload is {len(body)} bytes; at most {_MAX_PAYLOAD_BYTES} are allowed.", status=413
        )
    try:
        said = decoded(_payload_decoder, body)
    except msgspec.ValidationError as error:
        raise EventRejected("invalid", f"The payload: {error}.".replace("`", "")) from error
    except UNREADABLE as error:
        raise EventRejected("undecodable", f"The body is not JSON in UTF-8: {error}.") from error
    return {_SHORT.get(name, name): value for name, value in said.items()}


def _properties(said: dict[str, Any]) -> dict[str, Any]:
    field = "meta" if said.get("props") is None else "props"
    properties = _json(said.get(field))
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise EventRejected("invalid", f"{field}: expected an object, or the JSON text of one.", field)
    return dict(properties)


def _json(said: object) -> object:
    """What a text says, where it is JSON."""
    if not isinstance(said, str):
        return said
    try:
        return decoded(_value_decoder, said.encode())
    except UNREADABLE:
        return said


def _first(domains: str) -> str:
    return domains.partition(",")[0].strip()
