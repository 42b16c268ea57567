"""Answers as they are sent, and the one shape of an error."""

import msgspec

from ingest_api.errors import NotDurable, Refusal, TooFast

RETRY_AFTER_SECONDS = 5
"""What a client is asked to wait before it sends again what could not be made durable."""

HeaderList = list[tuple[str, str]]

JSON: HeaderList = [("content-type", "application/json")]
UNCACHED_JSON: HeaderList = [*JSON, ("cache-control", "no-store")]


class Answer(msgspec.Struct):
    """A whole answer."""

    status: int
    body: bytes
    headers: HeaderList


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """What went wrong: `code` for programs, `message` for people, `field` where one JSON field is at fault."""

    code: str
    message: str
    field: str | None = None


class ErrorAnswer(msgspec.Struct):
    """The body of every answer that is not 2xx."""

    error: ErrorBody


class RejectedEvent(msgspec.Struct):
    """One event of a batch that breaks a rule. It is kept, and must not be sent again as it is."""

    index: int
    field: str | None
    reason: str
    message: str


class TrackAnswer(msgspec.Struct, rename="camel"):
    """The event is durable."""

    event_id: str


class BatchAnswer(msgspec.Struct):
    """`accepted` events are durable; each rejected one is listed by its place in the batch, from 0, and kept."""

    accepted: int
    rejected: list[RejectedEvent]


class SegmentAnswer(msgspec.Struct):
    """The same as Segment's clients expect it."""

    success: bool
    accepted: int
    rejected: list[RejectedEvent]


class TrialAnswer(msgspec.Struct):
    """What `?dry_run=1` answers: the events as they would be stored, and what would be rejected. Nothing was stored."""

    events: list[msgspec.Raw]
    rejected: list[RejectedEvent]


class SeenClient(msgspec.Struct, rename="camel"):
    """What the collector sees of the client that asks, and what it would make of its events."""

    client_ip: str
    user_agent: str | None
    country: str | None
    site: str | None
    visitor_id: str | None
    asks_not_to_be_tracked: bool
    do_not_track: str | None
    refusal: ErrorBody | None


encode = msgspec.json.Encoder().encode


def error(status: int, code: str, message: str, field: str | None = None) -> Answer:
    """The one error shape."""
    return Answer(status, encode(ErrorAnswer(ErrorBody(code, message, field))), JSON)


def refused(refusal: Refusal) -> Answer:
    """The answer to what is refused."""
    answer = error(refusal.status, refusal.code, refusal.message, refusal.field)
    if isinstance(refusal, NotDurable):
        answer.headers = [*JSON, ("retry-after", str(RETRY_AFTER_SECONDS))]
    elif isinstance(refusal, TooFast):
        answer.headers = [*JSON, ("retry-after", str(refusal.retry_after))]
    return answer
