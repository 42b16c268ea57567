"""An event as a site sends it: somebody (object) does something (action) to something (subject)."""

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from event_stream.event import NO_PROPERTIES, EventId, Identifier, Language, Name, Pixels, Title, UserAgent
from ingest_api.almost_json import UNREADABLE, decoded
from ingest_api.errors import EventRejected

Id = Identifier | int
"""Sent as a text or an integer, kept as a text."""

Time = int | float | str
"""Unix seconds or milliseconds (told apart by their size), or ISO 8601; UTC where it names no zone."""


class TrackedEvent(msgspec.Struct, kw_only=True, frozen=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """Somebody (object) does something (action) to something (subject). Only `action` is needed."""

    event_id: (
        Annotated[
            EventId,
            Meta(description="made once by the client and kept over its retries: sent twice, it counts once"),
        ]
        | None
    ) = None
    site: (
        Annotated[str, Meta(description="the site's domain; needed only where key and Origin don't tell it")] | None
    ) = None
    action: Annotated[Name, Meta(description="what was done; `pageview` for page views")]
    object_type: (
        Annotated[Name, Meta(description="who did it: the kind, such as user; the visitor where absent")] | None
    ) = None
    object_id: Annotated[Id, Meta(description="who did it: which one")] | None = None
    subject_type: (
        Annotated[Name, Meta(description="what it was done to: the kind, such as article; page for page views")] | None
    ) = None
    subject_id: Annotated[Id, Meta(description="what it was done to: which one; the path for page views")] | None = None
    datetime_stamp: (
        Annotated[
            Time, Meta(description="when it happened: Unix seconds or milliseconds, or ISO 8601; now where absent")
        ]
        | None
    ) = None
    sent_at: (
        Annotated[
            Time,
            Meta(description="the client's clock when it sent the request, as datetimeStamp: corrects a wrong clock"),
        ]
        | None
    ) = None
    visitor_id: Annotated[Id, Meta(description="the client's own name for the visitor")] | None = None
    user_id: Annotated[Id, Meta(description="the signed-in user, as the site names them")] | None = None
    session_id: Annotated[Id, Meta(description="the client's own session id; stored only")] | None = None
    url: (
        Annotated[
            str,
            Meta(description="the page's address; of its query only utm_*, ref and click ids are kept, no fragment"),
        ]
        | None
    ) = None
    referrer: Annotated[str, Meta(description="the address that led to the page; kept as url is")] | None = None
    title: Annotated[Title, Meta(description="the page's title")] | None = None
    language: Annotated[Language, Meta(description="the visitor's language, BCP 47")] | None = None
    screen_width: Annotated[Pixels, Meta(description="width of the screen in CSS pixels")] | None = None
    client_ip: (
        Annotated[
            str,
            Meta(
                max_length=45, description="the visitor's address, used for the visitor id only; needs the server key"
            ),
        ]
        | None
    ) = None
    user_agent: Annotated[UserAgent, Meta(description="the visitor's User-Agent; needs the server key")] | None = None
    # By a factory, because JSON Schema can't write this default down.
    properties: Annotated[
        msgspec.Raw,
        Meta(description="what else the site says, a JSON object", extra_json_schema={"type": ["object", "null"]}),
    ] = msgspec.field(default_factory=lambda: NO_PROPERTIES)


class UnparsedLine(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """A line of a log that its importer could not read: it is rejected, and so kept."""

    raw: Annotated[str, Meta(description="the line as it is")] | None = None
    raw_base64: Annotated[bytes, Meta(description="the same in base64, where the line is not UTF-8")] | None = None
    event_id: Annotated[EventId, Meta(description="made by the importer")] | None = None
    site: Annotated[str, Meta(description="the site's domain")] | None = None


class _Claim(msgspec.Struct):
    site: str | None = None


class _Batch(msgspec.Struct):
    batch: list[TrackedEvent]


_event_decoder = msgspec.json.Decoder(TrackedEvent)
_events_decoder = msgspec.json.Decoder(list[TrackedEvent])
_batch_decoder = msgspec.json.Decoder(_Batch)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_line_decoder = msgspec.json.Decoder(UnparsedLine)
_claim_decoder = msgspec.json.Decoder(_Claim)

_LONGEST_SHOWN = 80
"""Characters of a value that an answer repeats."""


def read_tracked_event(body: bytes) -> TrackedEvent:
    """The event that the bytes are, or almost are. Raises EventRejected."""
    try:
        event = decoded(_event_decoder, body)
        if not body.isascii():
            # Properties are taken over as they are, so nobody else has looked at their encoding.
            body.decode()
    except msgspec.ValidationError as error:
        raise _rejection(body, str(error)) from error
    except UNREADABLE as error:
        raise EventRejected("undecodable", f"The body is not JSON in UTF-8: {error}.") from error
    if event.properties is NO_PROPERTIES:
        return event
    properties = bytes(event.properties)
    if properties[:1] == b"{":
        return event
    if properties == b"null":
        return msgspec.structs.replace(event, properties=NO_PROPERTIES)
    raise EventRejected("invalid", f"properties: expected an object{_shown(body, 'properties')}.", "properties")


def read_whole_batch(body: bytes, one_a_line: bool) -> Sequence[TrackedEvent] | None:
    """The events of a batch without any fault, all at once; None where it must be looked at event by event."""
    try:
        if one_a_line:
            events = _event_decoder.decode_lines(body)
        elif body[:1] == b"[":
            events = _events_decoder.decode(body)
        else:
            events = _batch_decoder.decode(body).batch
        if not body.isascii():
            body.decode()
    except (msgspec.ValidationError, *UNREADABLE):
        return None
    for event in events:
        if event.properties is not NO_PROPERTIES and bytes(event.properties)[:1] != b"{":
            return None
    return events


def claimed_site(body: bytes) -> str | None:
    """The site that a body names, though it may be no event otherwise."""
    try:
        return _claim_decoder.decode(body).site
    except (msgspec.ValidationError, *UNREADABLE):
        return None


def _rejection(body: bytes, complaint: str) -> EventRejected:
    try:
        line = _line_decoder.decode(body)
        raw = line.raw_base64 if line.raw is None else line.raw.encode()
    except (msgspec.ValidationError, *UNREADABLE):
        raw = None
    if raw is None:
        field = _field(complaint)
        sentence = complaint.split(" - at ")[0].replace("`", "")
        return EventRejected(
            "invalid", f"{field}: {sentence}{_shown(body, field)}." if field else f"{sentence}.", field
        )
    return EventRejected("unparsed_line", "raw: a line that its importer could not read.", "raw", body=raw)


def _shown(body: bytes, field: str) -> str:
    """The value at fault as it came, cut; nothing where the field is missing or can't be told."""
    try:
        value = bytes(_object_decoder.decode(body).get(field, b"")).decode(errors="replace")
    except UNREADABLE:
        # The fault was found before the place where the body stops being JSON.
        return ""
    cut = value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    return f", but it is {cut}" if cut else ""


def _field(complaint: str) -> str | None:
    """The JSON field that msgspec complains of: `… - at `$.objectId`` or `… unknown field `foo``."""
    found = re.search(r"at `\$\.([^`]+)`$|(?:unknown|required) field `([^`]*)`", complaint)
    return (found[1] or found[2]) if found else None
