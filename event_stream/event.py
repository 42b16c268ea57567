"""The event as it travels on the topic `logektor.events.v1`.

Somebody (object) does something (action) to something (subject).
"""

from typing import Annotated

import msgspec
from msgspec import Meta

INGEST_VERSION = 1
"""The version of the record's shape; a record of another version is a dead letter."""

MAX_EVENT_BYTES = 64 * 1024
"""The largest event, in bytes of its JSON."""

EventId = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Identifier = Annotated[str, Meta(min_length=1, max_length=500)]
Url = Annotated[str, Meta(max_length=4_000)]
Title = Annotated[str, Meta(max_length=1_000)]
UserAgent = Annotated[str, Meta(max_length=1_000)]
Language = Annotated[str, Meta(max_length=35)]
Pixels = Annotated[int, Meta(ge=0, le=100_000)]
Micros = Annotated[int, Meta(ge=0, le=253_402_300_799_999_999)]
"""Microseconds since 1970-01-01 UTC, up to the end of the year 9999."""


NO_PROPERTIES = msgspec.Raw()
"""Properties are kept as the JSON text that came; the empty text is their absence (msgspec has no optional Raw)."""


class Event(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One accepted event, stamped by the collector. Unknown fields of a newer collector are ignored."""

    event_id: Annotated[
        EventId, Meta(description="made by the client and kept over its retries; a UUIDv7 of the server where absent")
    ]
    site: Annotated[Name, Meta(description="the domain of the site that the event belongs to")]
    action: Annotated[Name, Meta(description="what was done; `pageview` for page views")]
    object_type: Annotated[Name, Meta(description="who did it: the kind, such as user or visitor")]
    occurred_at: Annotated[
        Micros,
        Meta(description="when it happened, microseconds since 1970 UTC; received_at where that is unknown"),
    ]
    received_at: Annotated[Micros, Meta(description="when the collector received it, microseconds since 1970 UTC")]
    ingest_version: Annotated[int, Meta(ge=INGEST_VERSION, le=INGEST_VERSION, description="version of this shape")]
    object_id: Annotated[Identifier, Meta(description="who did it: which one")] | None = None
    subject_type: Annotated[Name, Meta(description="what it was done to: the kind, such as article or page")] | None = (
        None
    )
    subject_id: (
        Annotated[Identifier, Meta(description="what it was done to: which one; the path for a page")] | None
    ) = None
    visitor_id: (
        Annotated[
            Identifier,
            Meta(description="the visitor: the client's own id, the user, or a keyed hash that changes every day"),
        ]
        | None
    ) = None
    user_id: Annotated[Identifier, Meta(description="the signed-in user, as the site names them")] | None = None
    session_id: (
        Annotated[Identifier, Meta(description="the client's own session id; stored, never used to cut sessions")]
        | None
    ) = None
    url: (
        Annotated[Url, Meta(description="the page's address, its query string stripped but for campaign parameters")]
        | None
    ) = None
    referrer: Annotated[Url, Meta(description="the address that led to the page, its query string stripped")] | None = (
        None
    )
    title: Annotated[Title, Meta(description="the page's title")] | None = None
    language: Annotated[Language, Meta(description="the visitor's language, BCP 47")] | None = None
    screen_width: Annotated[Pixels, Meta(description="width of the screen in CSS pixels")] | None = None
    user_agent: Annotated[UserAgent, Meta(description="the visitor's User-Agent")] | None = None
    country: (
        Annotated[
            str, Meta(min_length=2, max_length=2, description="ISO 3166-1 alpha-2 country of the client's address")
        ]
        | None
    ) = None
    clock_adjusted: Annotated[bool, Meta(description="occurred_at was impossible and is received_at instead")] = False
    properties: Annotated[msgspec.Raw, Meta(description="what else the site says, a JSON object")] = NO_PROPERTIES
