"""What becomes of an event: checked, stored by Kafka or the spool, and only then accepted."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from event_stream.errors import WriteRefused
from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED, event_key
from ingest_api import metrics
from ingest_api.admission import Admission, Grant
from ingest_api.errors import EventRejected, NotDurable
from ingest_api.tracked_event import TrackedEvent, claimed_site, read_tracked_event
from ingest_api.validation import Sender, Stamper, encode_bounded


class Grammar(msgspec.Struct, frozen=True):
    """How a kind of client writes an event down.

    `read` raises EventRejected. `claimed_site` is the site that a body names though it may be no event otherwise.
    """

    read: Callable[[bytes], TrackedEvent]
    claimed_site: Callable[[bytes], str | None]


OWN = Grammar(read_tracked_event, claimed_site)


class Checked(msgspec.Struct, frozen=True):
    """An event with the record that it becomes: of an accepted event, of its rejection, or none."""

    record: OutgoingRecord | None
    site: str
    event_id: str
    rejection: EventRejected | None = None


class Collector:
    """Checks and stores the events of every kind of client."""

    def __init__(self, admission: Admission, stamper: Stamper, writer: EventWriter) -> None:
        self.admission = admission
        self._stamper = stamper
        self._writer = writer

    def check(self, body: bytes, sender: Sender, grammar: Grammar = OWN) -> Checked:
        """Raises RequestRefused where the sender may not write to the event's site."""
        try:
            tracked = grammar.read(body)
        except EventRejected as rejection:
            grant = self.admission.grant(sender.key, sender.origin, grammar.claimed_site(body))
            return self._kept(body, rejection, grant.site.domain, sender.received_at)
        grant = self.admission.grant(sender.key, sender.origin, tracked.site)
        try:
            return self._accepted(tracked, grant, sender)
        except EventRejected as rejection:
            return self._kept(body, rejection, grant.site.domain, sender.received_at)

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
                checked.append(self._kept(bodies()[index], rejection, grant.site.domain, sender.received_at))
        return checked

    def reject(self, body: bytes, rejection: EventRejected, sender: Sender) -> Checked:
        """A body that is no event at all, of a site that the request names. Raises RequestRefused."""
        grant = self.admission.grant(sender.key, sender.origin, None)
        return self._kept(body, rejection, grant.site.domain, sender.received_at)

    async def store(self, checked: Sequence[Checked]) -> None:
        """Done when each record is durable. Raises NotDurable."""
        records = [event.record for event in checked if event.record is not None]
        for refusal in await self._writer.write(records):
            if refusal is not None:
                raise _not_durable(refusal)
        count(checked)

    def _accepted(self, tracked: TrackedEvent, grant: Grant, sender: Sender) -> Checked:
        event = self._stamper.stamp(tracked, grant, sender)
        value = encode_bounded(event)
        record = OutgoingRecord(EVENTS.name, event_key(event.site, event.visitor_id), value)
        return Checked(record, event.site, event.event_id)

    def _kept(self, body: bytes, rejection: EventRejected, site: str, received_at: int) -> Checked:
        record = Rejection.of(
            body if rejection.body is None else rejection.body,
            reason=rejection.code,
            detail=rejection.message,
            field=rejection.field,
            received_at=received_at,
            site=site,
        )
        return Checked(OutgoingRecord(REJECTED.name, None, encode_rejection(record)), site, "", rejection)


def count(checked: Sequence[Checked]) -> None:
    """Raises the counters of what was answered."""
    if len(checked) == 1 and checked[0].rejection is None:
        metrics.events_accepted[checked[0].site] += 1
        return
    metrics.events_accepted.update(Counter(event.site for event in checked if event.rejection is None))
    for event in checked:
        if event.rejection is not None:
            metrics.EVENTS_REJECTED.labels(event.site, event.rejection.code).inc()


def _not_durable(refusal: WriteRefused) -> NotDurable:
    return NotDurable(f"Not stored: {refusal}. Send the request again, with the same event ids.")
