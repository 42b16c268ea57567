"""POST /track and POST /batch: read, validate, produce, and answer when Kafka has it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from event_stream.errors import WriteRefused
from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED, event_key
from ingest_api import metrics
from ingest_api.admission import Admission
from ingest_api.answers import Answer, BatchAnswer, RejectedEvent, TrackAnswer, accepted, refused
from ingest_api.batch_body import split_batch
from ingest_api.errors import EventRejected, NotDurable
from ingest_api.requests import Headers, Receive, Scope, content_type, key_of, origin_of, read_body
from ingest_api.salts import Salts
from ingest_api.tracked_event import claimed_site, read_tracked_event
from ingest_api.validation import Sender, encode_tracked


@dataclass(frozen=True)
class Bounds:
    """How much one request may bring."""

    body_bytes: int
    batch_events: int


class Checked(msgspec.Struct, frozen=True):
    """An event with the record that it becomes: of an accepted event, or of its rejection."""

    record: OutgoingRecord
    site: str
    event_id: str
    rejection: EventRejected | None = None


def now_micros() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


class Collector:
    """What both endpoints do. `now` answers microseconds since 1970 UTC."""

    def __init__(
        self,
        admission: Admission,
        salts: Salts,
        writer: EventWriter,
        bounds: Bounds,
        now: Callable[[], int] = now_micros,
    ) -> None:
        self._admission = admission
        self._salts = salts
        self._writer = writer
        self._bounds = bounds
        self._now = now

    async def track(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        """One event. Raises RequestRefused or NotDurable."""
        content_type(headers)
        body = await read_body(headers, receive, self._bounds.body_bytes)
        return await self._track(self._check(body, self._sender(scope, headers)))

    async def batch(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        """Many events. Raises RequestRefused or NotDurable."""
        media_type = content_type(headers)
        body = await read_body(headers, receive, self._bounds.body_bytes)
        sender = self._sender(scope, headers)
        try:
            events = split_batch(body, media_type, self._bounds.batch_events)
        except EventRejected as rejection:
            site = self._admission.grant(sender.key, sender.origin, None).site.domain
            return await self._track(_kept(body, rejection, site, sender.received_at))
        checked = [self._check(event, sender) for event in events]
        for refusal in await self._writer.write([event.record for event in checked]):
            if refusal is not None:
                raise _not_durable(refusal)
        rejected = []
        for index, event in enumerate(checked):
            if event.rejection is None:
                metrics.events_accepted[event.site] += 1
            else:
                _count_rejected(event.site, event.rejection)
                rejected.append(
                    RejectedEvent(index, event.rejection.field, event.rejection.code, event.rejection.message)
                )
        return accepted(BatchAnswer(len(checked) - len(rejected), rejected))

    async def _track(self, checked: Checked) -> Answer:
        (refusal,) = await self._writer.write((checked.record,))
        if refusal is not None:
            raise _not_durable(refusal)
        if checked.rejection is not None:
            _count_rejected(checked.site, checked.rejection)
            return refused(checked.rejection)
        metrics.events_accepted[checked.site] += 1
        return accepted(TrackAnswer(checked.event_id))

    def _sender(self, scope: Scope, headers: Headers) -> Sender:
        client = scope["client"]
        return Sender(
            client[0] if client else "",
            headers.get(b"user-agent"),
            origin_of(headers) if b"origin" in headers else None,
            key_of(scope, headers) if b"authorization" in headers or scope["query_string"] else None,
            self._now(),
        )

    def _check(self, body: bytes, sender: Sender) -> Checked:
        """Raises RequestRefused where the sender may not write to the event's site."""
        try:
            tracked = read_tracked_event(body)
        except EventRejected as rejection:
            grant = self._admission.grant(sender.key, sender.origin, claimed_site(body))
            return _kept(body, rejection, grant.site.domain, sender.received_at)
        grant = self._admission.grant(sender.key, sender.origin, tracked.site)
        try:
            event, value = encode_tracked(tracked, grant, sender, self._salts)
        except EventRejected as rejection:
            return _kept(body, rejection, grant.site.domain, sender.received_at)
        record = OutgoingRecord(EVENTS.name, event_key(event.site, event.visitor_id), value)
        return Checked(record, event.site, event.event_id)


def _not_durable(refusal: WriteRefused) -> NotDurable:
    return NotDurable(f"Not stored: {refusal}. Send the request again, with the same event ids.")


def _count_rejected(site: str, rejection: EventRejected) -> None:
    metrics.EVENTS_REJECTED.labels(site, rejection.code).inc()


def _kept(body: bytes, rejection: EventRejected, site: str, received_at: int) -> Checked:
    record = Rejection.of(
        body if rejection.body is None else rejection.body,
        reason=rejection.code,
        detail=rejection.message,
        field=rejection.field,
        received_at=received_at,
        site=site,
    )
    return Checked(OutgoingRecord(REJECTED.name, None, encode_rejection(record)), site, "", rejection)
