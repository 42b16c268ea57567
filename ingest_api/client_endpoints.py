"""The ways of clients that were made for others: Segment's SDKs, Plausible's script, and images."""

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from ingest_api.answers import JSON, Answer, HeaderList, SegmentAnswer, encode, refused
from ingest_api.collector import OWN, Checked, Collector, Grammar, count_refusal
from ingest_api.endpoints import Endpoint, rejected_of
from ingest_api.errors import EventRejected, Refusal
from ingest_api.pixel import GIF, event_of
from ingest_api.plausible import claimed_domain, read_payload
from ingest_api.requests import Exchange, RequestReader, Scope, content_type
from ingest_api.segment import KINDS, messages, read_batch, read_message, write_key
from ingest_api.validation import Sender
from sites import origin_of_page

_PLAUSIBLE = Grammar(read_payload, claimed_domain)

_TEXT: HeaderList = [("content-type", "text/plain; charset=utf-8")]
_IMAGE: HeaderList = [("content-type", "image/gif"), ("cache-control", "no-store")]


class ClientEndpoints:
    """Each raises RequestRefused, NotDurable or TooFast."""

    def __init__(self, collector: Collector, requests: RequestReader, max_batch_events: int) -> None:
        self._collector = collector
        self._requests = requests
        self._max_batch_events = max_batch_events

    def paths(self) -> Mapping[tuple[str, str], Endpoint]:
        """By method and path."""
        segment = {("POST", f"/v1/{kind}"): partial(self.segment, kind) for kind in KINDS}
        return {
            **segment,
            ("POST", "/v1/batch"): self.segment_batch,
            ("POST", "/api/event"): self.plausible,
            ("GET", "/pixel.gif"): self.pixel,
        }

    async def segment(self, kind: str, scope: Scope, exchange: Exchange) -> Answer:
        """One message of Segment."""
        body, sender = await self._segment_request(scope, exchange)
        grammar = Grammar(partial(read_message, kind=kind, server=self._is_server(sender)), _nothing)
        checked = self._collector.check(body, sender, grammar)
        (checked,) = await self._collector.store((checked,), sender.received_at)
        return refused(checked.rejection) if checked.rejection is not None else _taken([checked])

    async def segment_batch(self, scope: Scope, exchange: Exchange) -> Answer:
        """Many messages of Segment."""
        body, sender = await self._segment_request(scope, exchange)
        try:
            batch = read_batch(body, self._max_batch_events)
        except EventRejected as rejection:
            refusal = self._collector.reject(body, rejection, sender)
            (refusal,) = await self._collector.store((refusal,), sender.received_at)
            return refused(refusal.rejection or rejection)
        read = partial(read_message, server=self._is_server(sender), sent_at=batch.sent_at, context=batch.context)
        grammar = Grammar(read, _nothing)
        checked = [self._collector.check(message, sender, grammar) for message in messages(batch)]
        return _taken(await self._collector.store(checked, sender.received_at))

    async def plausible(self, scope: Scope, exchange: Exchange) -> Answer:
        """One payload of Plausible's script."""
        content_type(scope.headers)
        body = await self._requests.body(scope.headers, exchange)
        sender = self._requests.sender(scope)
        checked = self._collector.check(body, sender, _PLAUSIBLE)
        (checked,) = await self._collector.store((checked,), sender.received_at)
        return refused(checked.rejection) if checked.rejection is not None else Answer(202, b"ok", _TEXT)

    async def pixel(self, scope: Scope, exchange: Exchange) -> Answer:
        """One event by the address of an image. It is answered with the image in any case: the status tells."""
        try:
            sender = self._requests.sender(scope)
            referer = scope.headers.get("referer")
            if sender.origin is None and referer is not None:
                sender = msgspec.structs.replace(sender, origin=origin_of_page(referer))
            checked = self._collector.check(event_of(scope.query_string, referer), sender, OWN)
            await self._collector.store((checked,), sender.received_at)
        except Refusal as refusal:
            count_refusal(refusal)
            return _image(refusal)
        return _image(checked.rejection)

    async def _segment_request(self, scope: Scope, exchange: Exchange) -> tuple[bytes, Sender]:
        content_type(scope.headers)
        body = await self._requests.body(scope.headers, exchange)
        sender = self._requests.sender(scope)
        if sender.key is None:
            sender = msgspec.structs.replace(sender, key=write_key(body))
        return body, sender

    def _is_server(self, sender: Sender) -> bool:
        return self._collector.admission.grant(sender.key, sender.origin, None).server


def _nothing(body: bytes) -> None:
    """Segment's messages name no site: their key does."""
    return


def _taken(checked: Sequence[Checked]) -> Answer:
    rejected = rejected_of(checked)
    return Answer(200, encode(SegmentAnswer(True, len(checked) - len(rejected), rejected)), JSON)


def _image(refusal: Refusal | None) -> Answer:
    if refusal is None:
        return Answer(200, GIF, _IMAGE)
    said = refused(refusal)
    kept = [header for header in said.headers if header[0] == "retry-after"]
    return Answer(said.status, GIF, [*_IMAGE, *kept, ("logektor-error", refusal.code)])
