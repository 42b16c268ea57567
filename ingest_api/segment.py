"""Segment's HTTP tracking API, in our grammar.

Segment                                   here
messageId                                 eventId
userId                                    userId; the object is then the user
anonymousId                               visitorId (an empty text of either is nobody)
timestamp, originalTimestamp              datetimeStamp
sentAt (of the message or its batch)      sentAt
track: event, properties                  action, properties
page: name, category, properties          `pageview`; url (else path), referrer and title of the properties or of
                                          context.page; the properties without addresses, with name and category
identify: traits                          `identify`, properties
screen, group, alias                      an action of this name; name, category, properties, groupId, traits and
                                          previousId as properties
context.ip, context.userAgent             clientIp, userAgent: with the server key only, else left out
context.page, .locale, .screen.width      url, referrer, title, language, screenWidth
context.campaign                          utm_* of the url where that has none, else `campaign` of the properties

Everything else of context, and integrations, is left out. After Segment's specification of its HTTP API.
"""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from event_stream.event import MAX_EVENT_BYTES
from ingest_api.almost_json import UNREADABLE, decoded
from ingest_api.batch_body import require_few_events, require_few_values
from ingest_api.errors import EventRejected
from ingest_api.tracked_event import TrackedEvent, read_tracked_event

KINDS = ("track", "page", "identify", "screen", "group", "alias")

Context = dict[str, Any]

_T = TypeVar("_T")

_MAX_MESSAGE_BYTES = 4 * MAX_EVENT_BYTES
"""More than an event of ours can have with all that is left out, and no more objects than fit into the memory.
Segment itself takes 32 KB."""

_SEGMENT_NAMES = {
    "eventId": "messageId",
    "visitorId": "anonymousId",
    "datetimeStamp": "timestamp",
    "action": "event",
    "url": "context.page.url",
    "referrer": "context.page.referrer",
    "title": "context.page.title",
    "language": "context.locale",
    "clientIp": "context.ip",
    "userAgent": "context.userAgent",
}
_ADDRESSES = frozenset({"url", "referrer", "search", "path", "title"})


class Batch(msgspec.Struct, rename="camel"):
    """The body of /v1/batch: messages, and what holds for each of them that does not say it itself."""

    batch: list[msgspec.Raw]
    sent_at: str | None = None
    context: Context | None = None


class _Keyed(msgspec.Struct, rename="camel"):
    write_key: str | None = None


class _Message(msgspec.Struct, rename="camel"):
    type: str | None = None
    message_id: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    group_id: Any = None
    previous_id: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: Context | None = None


_batch_decoder = msgspec.json.Decoder(Batch)
_key_decoder = msgspec.json.Decoder(_Keyed)
_message_decoder = msgspec.json.Decoder(_Message)


def read_batch(body: bytes, max_events: int) -> Batch:
    """Raises EventRejected where the body is no batch, RequestRefused where it is too long."""
    require_few_values(body, max_events)
    # Of `context`, unlike of the messages, every value becomes an object at once.
    require_few_values(body, max_events, b"[")
    require_few_values(body, max_events, b"{")
    try:
        batch = _decoded(_batch_decoder, body)
    except msgspec.ValidationError:
        raise EventRejected("invalid", 'The body is not {"batch": [...]} with messages of Segment.') from None
    require_few_events(len(batch.batch), max_events)
    return batch


def write_key(body: bytes) -> str | None:
    """The key that browsers put into the body, as they can't set a header without a preflight."""
    try:
        return _decoded(_key_decoder, body).write_key
    except (msgspec.ValidationError, EventRejected):
        return None


def read_message(
    body: bytes, *, server: bool, kind: str | None = None, sent_at: str | None = None, context: Context | None = None
) -> TrackedEvent:
    """The event that a message is. `kind` is the path's, the rest its batch's. Raises EventRejected."""
    if len(body) > _MAX_MESSAGE_BYTES:
        raise EventRejected(
            "too_large", f"The message is {len(body)} bytes; at most {_MAX_MESSAGE_BYTES} are allowed.", status=413
        )
    try:
        message = _decoded(_message_decoder, body)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from error
    kind = kind or message.type
    if kind not in KINDS:
        raise EventRejected("invalid", f"type: {kind!r} is none of {', '.join(KINDS)}.", "type")
    context = {**(context or {}), **(message.context or {})}
    page = _object(context.get("page"))
    properties: dict[str, Any] = dict(message.properties or {})
    user_id = _somebody(message.user_id)
    own: dict[str, Any] = {
        "eventId": message.message_id or None,
        "userId": user_id,
        "visitorId": _somebody(message.anonymous_id),
        "datetimeStamp": message.timestamp or message.original_timestamp,
        "sentAt": message.sent_at or sent_at,
        "url": page.get("url"),
        "referrer": page.get("referrer") or None,
        "title": page.get("title"),
        "language": context.get("locale"),
        "screenWidth": _width(context),
    }
    if user_id is not None:
        own |= {"objectType": "user", "objectId": user_id}
    if server:
        own |= {"clientIp": context.get("ip"), "userAgent": context.get("userAgent")}
    if kind == "track":
        own["action"] = message.event
    elif kind == "page":
        own["action"] = "pageview"
        for address in ("url", "referrer", "title"):
            own[address] = properties.get(address) or own[address]
        # Servers often know no more of a page.
        own["url"] = own["url"] or properties.get("path") or page.get("path")
        properties = {name: value for name, value in properties.items() if name not in _ADDRESSES}
        properties |= _said(name=message.name, category=message.category)
    elif kind == "identify":
        own["action"] = "identify"
        properties = dict(message.traits or {})
    else:
        own["action"] = kind
        properties = _said(
            name=message.name,
            category=message.category,
            properties=message.properties,
            groupId=message.group_id,
            traits=message.traits,
            previousId=message.previous_id,
        )
    campaign = _said(**_object(context.get("campaign")))
    if campaign and isinstance(own["url"], str) and "utm_" not in own["url"]:
        own["url"] = _with_campaign(own["url"], campaign)
    elif campaign and not own["url"]:
        properties["campaign"] = campaign
    return _read({**own, "properties": properties or None})


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Raises msgspec.ValidationError where it is something else, EventRejected where it is not even nearly JSON."""
    try:
        return decoded(decoder, body)
    except msgspec.ValidationError:
        raise
    except UNREADABLE as error:
        raise EventRejected("undecodable", f"The body is not JSON in UTF-8: {error}.") from error


def _misfit(complaint: str) -> EventRejected:
    """What msgspec says of a part of the message, such as `… - at `$.context[...]``."""
    rule, _, place = complaint.replace("`", "").partition(" - at $.")
    field = place.partition("[")[0] or None
    return EventRejected("invalid", f"{field or 'The message'}: {rule}.", field)


def _read(own: dict[str, Any]) -> TrackedEvent:
    """Through the very rules of our own events, told by Segment's names."""
    try:
        return read_tracked_event(msgspec.json.encode(own))
    except RecursionError:
        # It could just be read, and is one level deeper here.
        raise EventRejected("invalid", "The message is nested too deeply.") from None
    except EventRejected as rejection:
        field = _SEGMENT_NAMES.get(rejection.field or "", rejection.field)
        message = rejection.message
        if rejection.field is not None and field is not None:
            message = message.replace(rejection.field, field, 1)
        raise EventRejected(rejection.code, message, field) from rejection


def _with_campaign(url: str, campaign: Context) -> str:
    """The address with utm_source and so on; Segment calls utm_campaign `name`."""
    utm = {f"utm_{'campaign' if name == 'name' else name}": value for name, value in campaign.items()}
    address, mark, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{urlencode(utm)}{mark}{fragment}"


def _somebody(identifier: object) -> object:
    """Who is named: several clients say an empty text where they know nobody."""
    return None if identifier == "" else identifier


def _width(context: Context) -> int | None:
    width = _object(context.get("screen")).get("width")
    return round(width) if isinstance(width, int | float) and 0 < width < 100_000 else None


def _object(value: object) -> Context:
    return value if isinstance(value, dict) else {}


def _said(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", {})}


def messages(batch: Batch) -> Sequence[bytes]:
    """The bytes of each message."""
    return [bytes(message) for message in batch.batch]
