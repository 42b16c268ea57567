"""Answers as ASGI sends them, and the one shape of an error."""

import msgspec

from ingest_api.errors import NotDurable, Refusal

RETRY_AFTER_SECONDS = 5
"""What a client is asked to wait before it sends again what could not be made durable."""

HeaderList = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


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


_encoder = msgspec.json.Encoder()


def accepted(body: TrackAnswer | BatchAnswer) -> Answer:
    """202."""
    return Answer(202, _encoder.encode(body), [_JSON])


def error(status: int, code: str, message: str, field: str | None = None) -> Answer:
    """The one error shape."""
    return Answer(status, _encoder.encode(ErrorAnswer(ErrorBody(code, message, field))), [_JSON])


def refused(refusal: Refusal) -> Answer:
    """The answer to what is refused."""
    answer = error(refusal.status, refusal.code, refusal.message, refusal.field)
    if isinstance(refusal, NotDurable):
        answer.headers.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
    return answer
