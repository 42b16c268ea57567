"""POST /batch until each event is durable or refused."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import httpx
import msgspec

from logektor.errors import StackError

MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 4_000_000
"""What the collector takes in one request; bytes of the JSON array."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_REQUEST_SECONDS = 60.0
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class BatchFailed(StackError):
    """A batch was not acknowledged, and trying again at once is no use; the sentence says why."""


class RejectedEvent(msgspec.Struct, frozen=True):
    """An event the collector refused and kept. `index` is its place in the batch, from 0; `reason` is for programs."""

    index: int
    reason: str
    message: str


class BatchAnswer(msgspec.Struct, frozen=True):
    """What became of a batch: each event is accepted or rejected."""

    accepted: int
    rejected: tuple[RejectedEvent, ...] = ()


class _Trouble(NamedTuple):
    """A failure that may pass. `seconds` is how long the collector asked to wait."""

    sentence: str
    seconds: float | None = None


class BatchClient:
    """Sends batches to a collector. Threads may share it; setting `stop` ends what waits."""

    def __init__(
        self,
        collector_url: str,
        server_key: str,
        *,
        give_up_after: float,
        stop: threading.Event,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`give_up_after` is in seconds, for one batch with all its retries."""
        self._url = collector_url.rstrip("/") + "/batch"
        self._give_up_after = give_up_after
        self._stop = stop
        self._now = now
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {server_key}", "Content-Type": "application/json"},
            timeout=_REQUEST_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, events: Sequence[bytes]) -> BatchAnswer:
        """Returns when the collector has answered for each event (JSON objects); raises BatchFailed."""
        body = b"[" + b",".join(events) + b"]"
        deadline = self._now() + self._give_up_after
        pause = _FIRST_PAUSE_SECONDS
        while isinstance(answer := self._try(body, len(events)), _Trouble):
            # The random part keeps clients from coming back all at once.
            wait = answer.seconds if answer.seconds is not None else pause * random.uniform(0.5, 1.0)  # noqa: S311
            if self._now() + wait > deadline:
                raise BatchFailed(f"Gave up after {self._give_up_after:.0f} s: {answer.sentence}")
            if self._stop.wait(wait):
                raise BatchFailed("Stopped before the collector had taken everything.")
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        return answer

    def _try(self, body: bytes, events: int) -> BatchAnswer | _Trouble:
        try:
            response = self._http.post(self._url, content=body)
        except httpx.TransportError as error:
            return _Trouble(f"the collector at {self._url} can't be reached ({type(error).__name__}). Does it run?")
        except httpx.InvalidURL as error:
            raise BatchFailed(f"{self._url} is not a URL: {error}.") from error
        if response.status_code in _TRANSIENT_STATUSES:
            return _Trouble(f"the collector answers {response.status_code}: {_said(response)}", _retry_after(response))
        if not response.is_success:
            raise BatchFailed(f"The collector at {self._url} answers {response.status_code}: {_said(response)}")
        return self._answer(response, events)

    def _answer(self, response: httpx.Response, events: int) -> BatchAnswer:
        try:
            answer = msgspec.json.decode(response.content, type=BatchAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BatchFailed(f"What answers at {self._url} is not a collector: {error}.") from error
        if answer.accepted + len(answer.rejected) != events:
            raise BatchFailed(
                f"The collector answered for {answer.accepted + len(answer.rejected)} of {events} events."
            )
        return answer


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds a collector asks to wait; the header's other form, a date, is only sent by what stands before it."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _said(response: httpx.Response) -> str:
    return " ".join(response.text[:300].split()) or response.reason_phrase
