"""What becomes of an event: checked, stored by Kafka or the spool, and only then accepted."""

import math
from collections.abc import Callable, Sequence

import msgspec

from event_stream.errors import WriteRefused
from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED, event_key
from ingest_api import metrics
from ingest_api.admission import Admission, Grant
from ingest_api.answers import ErrorBody, SeenClient
from ingest_api.bots import says_it_is_a_bot
from ingest_api.errors import EventRejected, NotDurable, Refusal, RequestRefused, TooFast
from ingest_api.kept_rejections import KeptRejections, not_kept
from ingest_api.rate_limit import RateLimits
from ingest_api.tracked_event import TrackedEvent, claimed_site, read_tracked_event
from ingest_api.validation import Sender, Stamper, encode_bounded, new_event_id
from sites import Site


class Grammar(msgspec.Struct, frozen=True):
    """How a kind of client writes an event down.

    `read` raises EventRejected. `claimed_site` is the site that a body names though it may be no event otherwise.
    """

    read: Callable[[bytes], TrackedEvent]
    claimed_site: Callable[[bytes], str | None]


OWN = Grammar(read_tracked_event, claimed_site)


class Checked(msgspec.Struct, frozen=True):
    """An event with the record that it becomes: of an accepted event or of its rejection.

    There is none where the event is `dropped`, by the site's policy of this name, and of a rejection that was not kept.
    """

    record: OutgoingRecord | None
    site: Site
    event_id: str
    rejection: EventRejected | None = None
    dropped: str | None = None


class Collector:
    """Checks and stores the events of every kind of client."""

    def __init__(
        self,
        admission: Admission,
        stamper: Stamper,
        writer: EventWriter,
        limits: RateLimits,
        kept_rejections: KeptRejections,
    ) -> None:
        self.admission = admission
        self._stamper = stamper
        self._writer = writer
        self._limits = limits
        self._kept_rejections = kept_rejections

    def check(self, body: bytes, sender: Sender, grammar: Grammar = OWN) -> Checked:
        """Raises RequestRefused where the sender may not write to the event's site."""
        try:
            tracked = grammar.read(body)
        except EventRejected as rejection:
            grant = self.admission.grant(sender.key, sender.origin, grammar.claimed_site(body))
            return _rejected(body, rejection, grant.site, sender.received_at)
        grant = self.admission.grant(sender.key, sender.origin, tracked.site)
        try:
            return self._accepted(tracked, grant, sender)
        except EventRejected as rejection:
            return _rejected(body, rejection, grant.site, sender.received_at)

    def check_all(
        self, batch: Sequence[TrackedEvent], sender: Sender, bodies: Callable[[], Sequence[bytes]]
    ) -> list[Checked]:
        """The same for many that were read at once; `bodies` are their bytes. Raises RequestRefused."""
        checked = []
        grant = claimed = None
        for index, tracked in enumerate(batch):
            if grant is None or tracked.site != claimed:
                claimed = tracked.site
                grant = self.admission.grant(sender.key, sender.origin, claimed)
            try:
                checked.append(self._accepted(tracked, grant, sender))
            except EventRejected as rejection:
                checked.append(_rejected(bodies()[index], rejection, grant.site, sender.received_at))
        return checked

    def reject(self, body: bytes, rejection: EventRejected, sender: Sender) -> Checked:
        """A body that is no event at all, of a site that the request names. Raises RequestRefused."""
        grant = self.admission.grant(sender.key, sender.origin, None)
        return _rejected(body, rejection, grant.site, sender.received_at)

    def look_at(self, sender: Sender, claimed: str | None) -> SeenClient:
        """What is seen of a client, and whether its events for the claimed site would be taken."""
        site, refusal = None, None
        try:
            site = self.admission.grant(sender.key, sender.origin, claimed).site
        except RequestRefused as refused:
            refusal = ErrorBody(refused.code, refused.message, refused.field)
        return SeenClient(
            client_ip=sender.ip,
            user_agent=sender.user_agent,
            country=self._stamper.country(sender),
            site=site.domain if site is not None else None,
            visitor_id=self._stamper.visitor(sender, site) if site is not None else None,
            asks_not_to_be_tracked=sender.asks_not_to_be_tracked,
            do_not_track=site.do_not_track if site is not None else None,
            refusal=refusal,
        )

    async def store(self, checked: Sequence[Checked], now: int) -> Sequence[Checked]:
        """What there is to answer, when each record is durable. `now` is microseconds since 1970 UTC.

        A rejection past the bound of its site is answered without its record. Raises TooFast or NotDurable.
        """
        self._limit(checked, now)
        checked = [
            event if event.rejection is None else self._bounded(event, event.rejection, now) for event in checked
        ]
        records = [event.record for event in checked if event.record is not None]
        for refusal in await self._writer.write(records):
            if refusal is not None:
                raise _not_durable(refusal)
        count(checked)
        return checked

    def _accepted(self, tracked: TrackedEvent, grant: Grant, sender: Sender) -> Checked:
        site = grant.site
        if sender.asks_not_to_be_tracked and site.do_not_track == "drop":
            return _dropped(tracked, site, sender, "do_not_track")
        event = self._stamper.stamp(tracked, grant, sender)
        if site.bots == "drop" and event.user_agent is not None and says_it_is_a_bot(event.user_agent):
            return _dropped(tracked, site, sender, "bot")
        record = OutgoingRecord(EVENTS.name, event_key(event.site, event.visitor_id), encode_bounded(event))
        return Checked(record, site, event.event_id)

    def _bounded(self, event: Checked, rejection: EventRejected, now: int) -> Checked:
        if event.record is None or self._kept_rejections.keeps(event.site.domain, len(event.record.value), now):
            return event
        metrics.REJECTIONS_NOT_KEPT.labels(event.site.domain, rejection.code).inc()
        return Checked(None, event.site, event.event_id, not_kept(rejection))

    def _limit(self, checked: Sequence[Checked], now: int) -> None:
        """Raises TooFast."""
        events_of: dict[str, tuple[Site, int]] = {}
        for event in checked:
            if event.site.rate_limit is not None:
                _, events = events_of.get(event.site.domain, (event.site, 0))
                events_of[event.site.domain] = event.site, events + 1
        for site, events in events_of.values():
            if wait := self._limits.take(site, events, now):
                raise TooFast(site.domain, math.ceil(wait))


def count(checked: Sequence[Checked]) -> None:
    """Raises the counters of what was answered."""
    for event in checked:
        if event.rejection is not None:
            metrics.EVENTS_REJECTED.labels(event.site.domain, event.rejection.code).inc()
        elif event.dropped is not None:
            metrics.EVENTS_DROPPED.labels(event.site.domain, event.dropped).inc()
        else:
            metrics.events_accepted[event.site.domain] += 1


def count_refusal(refusal: Refusal) -> None:
    """Raises the counter of a request that was refused as a whole."""
    if isinstance(refusal, RequestRefused):
        metrics.REQUESTS_REFUSED.labels(refusal.site or "", refusal.code).inc()
    elif isinstance(refusal, NotDurable):
        metrics.REQUESTS_NOT_DURABLE.inc()


def _rejected(body: bytes, rejection: EventRejected, site: Site, received_at: int) -> Checked:
    # Its traceback holds those that hold it, and the body: only the garbage collector would free them, much later.
    rejection.__traceback__ = rejection.__cause__ = rejection.__context__ = None
    value = encode_rejection(
        Rejection.of(
            body if rejection.body is None else rejection.body,
            reason=rejection.code,
            detail=rejection.message,
            field=rejection.field,
            received_at=received_at,
            site=site.domain,
        )
    )
    return Checked(OutgoingRecord(REJECTED.name, None, value), site, "", rejection)


def _dropped(tracked: TrackedEvent, site: Site, sender: Sender, policy: str) -> Checked:
    return Checked(None, site, tracked.event_id or new_event_id(sender.received_at), dropped=policy)


def _not_durable(refusal: WriteRefused) -> NotDurable:
    return NotDurable(f"Not stored: {refusal}. Send the request again, with the same event ids.")
