"""POST /track and POST /batch: read, validate, produce, and answer when Kafka has it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED, event_key
from ingest_api import metrics
from ingest_api.admission import Credentials, Grant, admit
from ingest_api.answers import Answer, BatchAnswer, RejectedEvent, TrackAnswer, accepted, refused
from ingest_api.batch_body import split_batch
from ingest_api.errors import EventRejected, NotDurable
from ingest_api.requests import Headers, Receive, Scope, content_type, credentials, read_body
from ingest_api.salts import Salts
from ingest_api.tracked_event import claimed_site, read_tracked_event
from ingest_api.validation import Sender, encode_tracked
from sites import LiveSites


@dataclass(frozen=True)
class Bounds:
    """How much one request may bring."""

    body_bytes: int
    batch_events: int


class Checked(NamedTuple):
    """An event with the record that it becomes: of an accepted event, or of its rejection."""

    record: OutgoingRecord
    site: str
    event_id: str
    rejection: EventRejected | None


def now_micros() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


class Collector:
    """What both endpoints do. `now` answers microseconds since 1970 UTC."""

    def __init__(
        self,
        sites: LiveSites,
        salts: Salts,
        writer: EventWriter,
        bounds: Bounds,
        default_site: str | None,
        now: Callable[[], int] = now_micros,
    ) -> None:
        self._sites = sites
        self._salts = salts
        self._writer = writer
        self._bounds = bounds
        self._default_site = default_site
        self._now = now

    async def track(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        """One event. Raises Refusal."""
        content_type(headers)
        admission = _Admission(self._sites, credentials(scope, headers), self._default_site)
        body = await read_body(headers, receive, self._bounds.body_bytes)
        checked = self._check(body, admission, self._sender(scope, headers))
        await self._write([checked])
        if checked.rejection is not None:
            return refused(checked.rejection)
        return accepted(TrackAnswer(checked.event_id))

    async def batch(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        """Many events. Raises Refusal."""
        media_type = content_type(headers)
        admission = _Admission(self._sites, credentials(scope, headers), self._default_site)
        body = await read_body(headers, receive, self._bounds.body_bytes)
        sender = self._sender(scope, headers)
        try:
            events = split_batch(body, media_type, self._bounds.batch_events)
        except EventRejected as rejection:
            grant = admission.of(None)
            await self._write([_kept(body, rejection, grant.site.domain, sender.received_at)])
            return refused(rejection)
        checked = [self._check(event, admission, sender) for event in events]
        await self._write(checked)
        rejected = [
            RejectedEvent(index, event.rejection.field, event.rejection.code, event.rejection.message)
            for index, event in enumerate(checked)
            if event.rejection is not None
        ]
        return accepted(BatchAnswer(len(checked) - len(rejected), rejected))

    def _sender(self, scope: Scope, headers: Headers) -> Sender:
        client = scope["client"]
        return Sender(client[0] if client else "", headers.get(b"user-agent"), b"origin" in headers, self._now())

    def _check(self, body: bytes, admission: "_Admission", sender: Sender) -> Checked:
        """Raises RequestRefused where the sender may not write to the event's site."""
        try:
            tracked = read_tracked_event(body)
        except EventRejected as rejection:
            grant = admission.of(claimed_site(body))
            return _kept(body, rejection, grant.site.domain, sender.received_at)
        grant = admission.of(tracked.site)
        try:
            event, value = encode_tracked(tracked, grant, sender, self._salts)
        except EventRejected as rejection:
            return _kept(body, rejection, grant.site.domain, sender.received_at)
        record = OutgoingRecord(EVENTS.name, event_key(event.site, event.visitor_id), value)
        return Checked(record, event.site, event.event_id, None)

    async def _write(self, checked: Sequence[Checked]) -> None:
        """Returns when every record is durable. Raises NotDurable."""
        for result in await self._writer.write([event.record for event in checked]):
            if result is not None:
                raise NotDurable(f"Not stored: {result}. Send the request again, with the same event ids.")
        for event in checked:
            if event.rejection is None:
                metrics.accepted(event.site)
            else:
                metrics.EVENTS_REJECTED.labels(event.site, event.rejection.code).inc()


class _Admission:
    """Which site each event of one request may be written to."""

    def __init__(self, sites: LiveSites, credentials: Credentials, default_site: str | None) -> None:
        self._sites = sites
        self._credentials = credentials
        self._default_site = default_site
        self._grants: dict[str | None, Grant] = {}

    def of(self, claimed: str | None) -> Grant:
        """Raises RequestRefused."""
        grant = self._grants.get(claimed)
        if grant is None:
            grant = admit(self._sites, self._credentials, claimed, self._default_site)
            self._grants[claimed] = grant
        return grant


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
