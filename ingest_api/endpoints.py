"""What each path that takes events does: read, check, store, and answer in its client's own way."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache

import msgspec

from ingest_api.answers import (
    JSON,
    UNCACHED_JSON,
    Answer,
    BatchAnswer,
    RejectedEvent,
    TrackAnswer,
    TrialAnswer,
    encode,
    refused,
)
from ingest_api.batch_body import is_one_a_line, require_few_events, require_few_lines, require_few_values, split_batch
from ingest_api.collector import Checked, Collector
from ingest_api.errors import EventRejected
from ingest_api.requests import Exchange, RequestReader, Scope, content_type, parameter
from ingest_api.tracked_event import read_whole_batch
from ingest_api.validation import Sender

Endpoint = Callable[[Scope, Exchange], Awaitable[Answer]]


class Endpoints:
    """The project's own two ways to send events. Each raises RequestRefused, EventRejected or NotDurable."""

    def __init__(self, collector: Collector, requests: RequestReader, max_batch_events: int) -> None:
        self._collector = collector
        self._requests = requests
        self._max_batch_events = max_batch_events

    def paths(self) -> Mapping[tuple[str, str], Endpoint]:
        """By method and path."""
        return {
            ("POST", "/track"): self.track,
            ("POST", "/batch"): self.batch,
            ("GET", "/whoami"): self.whoami,
        }

    async def track(self, scope: Scope, exchange: Exchange) -> Answer:
        """One event."""
        content_type(scope.headers)
        body = await self._requests.body(scope.headers, exchange)
        sender = self._requests.sender(scope)
        checked = self._collector.check(body, sender)
        if scope.query_string and _is_trial(scope):
            return _tried((checked,)) if checked.rejection is None else refused(checked.rejection)
        (checked,) = await self._collector.store((checked,), sender.received_at)
        if checked.rejection is not None:
            return refused(checked.rejection)
        return Answer(202, encode(TrackAnswer(checked.event_id)), JSON)

    async def batch(self, scope: Scope, exchange: Exchange) -> Answer:
        """Many events."""
        media_type = content_type(scope.headers)
        body = await self._requests.body(scope.headers, exchange)
        sender = self._requests.sender(scope)
        try:
            checked = self._check_batch(body, media_type, sender)
        except EventRejected as rejection:
            refusal = self._collector.reject(body, rejection, sender)
            if not _is_trial(scope):
                (refusal,) = await self._collector.store((refusal,), sender.received_at)
            return refused(refusal.rejection or rejection)
        if _is_trial(scope):
            return _tried(checked)
        checked = await self._collector.store(checked, sender.received_at)
        rejected = rejected_of(checked)
        return Answer(202, encode(BatchAnswer(len(checked) - len(rejected), rejected)), JSON)

    async def whoami(self, scope: Scope, exchange: Exchange) -> Answer:
        """What the collector sees of the client, and what it would make of its events."""
        sender = self._requests.sender(scope)
        return Answer(200, encode(self._collector.look_at(sender, parameter(scope, "site"))), UNCACHED_JSON)

    def _check_batch(self, body: bytes, media_type: str, sender: Sender) -> Sequence[Checked]:
        """Raises EventRejected where the body is no batch at all."""
        most = self._max_batch_events
        require_few_values(body, most)
        one_a_line = is_one_a_line(media_type)
        if one_a_line:
            require_few_lines(body, most)

        @cache
        def bodies() -> Sequence[bytes]:
            return split_batch(body, media_type, most)

        whole = read_whole_batch(body, one_a_line)
        if whole is None:
            return [self._collector.check(event, sender) for event in bodies()]
        require_few_events(len(whole), most)
        return self._collector.check_all(whole, sender, bodies)


def _is_trial(scope: Scope) -> bool:
    return "dry_run=1" in scope.query_string.split("&")


def rejected_of(checked: Sequence[Checked]) -> list[RejectedEvent]:
    """What an answer says of those that break a rule."""
    return [
        RejectedEvent(index, event.rejection.field, event.rejection.code, event.rejection.message)
        for index, event in enumerate(checked)
        if event.rejection is not None
    ]


def _tried(checked: Sequence[Checked]) -> Answer:
    events = [
        msgspec.Raw(event.record.value) for event in checked if event.record is not None and event.rejection is None
    ]
    return Answer(200, encode(TrialAnswer(events, rejected_of(checked))), JSON)
