"""The log import: each line of an access log becomes an event of the time it happened."""

import gzip
import hashlib
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import islice
from pathlib import Path

from logektor.access_log import Unreadable, parse_line
from logektor.batch_client import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, BatchAnswer, BatchClient, BatchFailed
from logektor.errors import StackError
from logektor.import_state import ImportState
from logektor.log_events import LineEvents
from sites import Site

MAX_LINE_BYTES = 256 * 1024
"""A longer line means that the file is no access log."""

MAX_REJECTED_SHOWN = 100
_REQUESTS_IN_FLIGHT = 4
_LINES_LOOKED_AT = 100

Progress = Callable[[int, int], None]
"""Told the lines done and the lines of the file."""


class ImportFailed(StackError):
    """The import stopped; what was acknowledged before stays, and running it again goes on from there."""


@dataclass(frozen=True)
class RejectedLine:
    """A line the collector refused and kept. `number` counts from 1."""

    number: int
    reason: str


@dataclass(frozen=True)
class ImportResult:
    """lines = accepted + rejected_count + resumed.

    `rejected` holds the first ones of this run; `resumed` lines were acknowledged to an earlier run that was stopped.
    """

    lines: int
    accepted: int
    rejected_count: int
    rejected: tuple[RejectedLine, ...]
    resumed: int
    seconds: float


def import_log(
    path: Path,
    site: Site,
    collector_url: str,
    state_folder: Path,
    progress: Progress,
    *,
    give_up_after: float = 300.0,
    now: Callable[[], float] = time.monotonic,
) -> ImportResult:
    """Sends each line of a log, plain or gzip, in the common or combined format, to the collector.

    Each line is acknowledged once at least, with the same event id in every run. `give_up_after` is how many seconds
    one batch is tried. Raises ImportFailed.
    """
    started = now()
    stop = threading.Event()
    tally = _Tally()
    try:
        with (
            _open_log(path) as file,
            BatchClient(collector_url, site.server_key, give_up_after=give_up_after, stop=stop, now=now) as client,
            ThreadPoolExecutor(_REQUESTS_IN_FLIGHT) as pool,
        ):
            total, content_sha256 = _scan(file)
            state = ImportState(state_folder, site.domain, content_sha256)
            resumed = min(state.acknowledged_lines(), total)
            progress(resumed, total)
            events = LineEvents(site, state.visitor_key())
            file.seek(0)
            lines = islice(_lines(file), total)
            for line in islice(lines, resumed):
                events.skip(line)
            try:
                for batch, answer in _send(_batches(lines, events, resumed + 1), client, pool):
                    tally.add(batch, answer)
                    state.acknowledge(batch.first_line + len(batch.events) - 1)
                    progress(batch.first_line + len(batch.events) - 1, total)
            finally:
                stop.set()
            state.finish()
    except BatchFailed as error:
        raise ImportFailed(f"{error} Run the same import again: it goes on where it stopped.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFailed(f"{path} can't be read: {error}.") from error
    return ImportResult(
        total, tally.accepted, tally.rejected_count, tuple(tally.rejected), resumed, seconds=now() - started
    )


@dataclass
class _Batch:
    """Events of consecutive lines. `troubles` says by index why a line could not be read."""

    first_line: int
    events: list[bytes] = field(default_factory=list)
    troubles: dict[int, str] = field(default_factory=dict)
    size: int = 2

    def fits(self, event: bytes) -> bool:
        return len(self.events) < MAX_BATCH_EVENTS and self.size + len(event) + 1 <= MAX_BATCH_BYTES


@dataclass
class _Tally:
    accepted: int = 0
    rejected_count: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)

    def add(self, batch: _Batch, answer: BatchAnswer) -> None:
        self.accepted += answer.accepted
        self.rejected_count += len(answer.rejected)
        for event in answer.rejected[: MAX_REJECTED_SHOWN - len(self.rejected)]:
            reason = batch.troubles.get(event.index, event.message)
            self.rejected.append(RejectedLine(batch.first_line + event.index, reason))


def _batches(lines: Iterable[bytes], events: LineEvents, first_line: int) -> Iterator[_Batch]:
    batch = _Batch(first_line)
    for number, line in enumerate(lines, start=first_line):
        event, trouble = events.encode(line)
        if not batch.fits(event):
            yield batch
            batch = _Batch(number)
        if trouble is not None:
            batch.troubles[len(batch.events)] = trouble
        batch.events.append(event)
        batch.size += len(event) + 1
    if batch.events:
        yield batch


def _send(
    batches: Iterable[_Batch], client: BatchClient, pool: ThreadPoolExecutor
) -> Iterator[tuple[_Batch, BatchAnswer]]:
    """Answers in the order of the batches, a few of which are under way at a time."""
    under_way: deque[tuple[_Batch, Future[BatchAnswer]]] = deque()
    for batch in batches:
        under_way.append((batch, pool.submit(client.send, batch.events)))
        if len(under_way) == _REQUESTS_IN_FLIGHT:
            first, answer = under_way.popleft()
            yield first, answer.result()
    for batch, answer in under_way:
        yield batch, answer.result()


def _open_log(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else path.open("rb")


def _scan(file: gzip.GzipFile | BufferedReader) -> tuple[int, str]:
    """How many lines there are, and the SHA-256 that tells this content from any other."""
    count = 0
    readable = False
    digest = hashlib.sha256()
    for line in _lines(file):
        digest.update(line + b"\n")
        count += 1
        readable = readable or (count <= _LINES_LOOKED_AT and not isinstance(parse_line(line), Unreadable))
        if count == _LINES_LOOKED_AT and not readable:
            raise ImportFailed(
                f"None of the first {_LINES_LOOKED_AT} lines is in the common or combined log format: nothing was sent."
            )
    return count, digest.hexdigest()


def _lines(file: gzip.GzipFile | BufferedReader) -> Iterator[bytes]:
    """The lines without their ends."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES:
            raise ImportFailed(f"A line is longer than {MAX_LINE_BYTES} bytes: this is no access log.")
        yield line.removesuffix(b"\n").removesuffix(b"\r")
