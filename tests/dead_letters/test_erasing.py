"""An erasure and a replay at the same time: what is erased is not sent again."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from event_stream.errors import WriteRefused
from event_stream.ports import OutgoingRecord
from lake import erasure_lock
from lake.dead_letters import Selection
from lake.erasure import Wanted
from logektor.replay import replay
from pipelines.refresh.erasure import erase, look
from tests.dead_letters.stream import NOON, SITES, Stream

WHO = "visitor-4711-to-be-forgotten"
SECONDS = 60.0


def reject_some(stream: Stream) -> None:
    for number in range(3):
        stream.reject(b'{"action":"view","visitorId":"%s","objectId":%d}' % (WHO.encode(), number))
    stream.land()


class Pausing:
    """An EventWriter that first lets somebody else begin."""

    def __init__(self, stream: Stream, first: Callable[[], None]) -> None:
        self._stream = stream
        self._first = first

    async def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteRefused | None]:
        self._first()
        return await self._stream.writer.write(records)

    def healthy(self) -> bool:
        return True

    async def close(self, deadline: float) -> None: ...


def erased(stream: Stream) -> None:
    erase(stream.lake, Wanted(WHO), digest_key=b"key", reports=(), sites=SITES, now=NOON)


def test_an_erasure_waits_for_the_replay_that_has_read_what_it_erases(stream: Stream, tmp_path: Path) -> None:
    reject_some(stream)
    lock, waits, order = tmp_path / erasure_lock.NAME, threading.Event(), []

    def erase_in_turn() -> None:
        with erasure_lock.erasing(lock, waits.set):
            order.append("erased")
            # As the command does: first what was sent is landed.
            stream.land()
            erased(stream)

    other = threading.Thread(target=erase_in_turn)

    def let_it_begin() -> None:
        if not other.ident:
            other.start()
        assert waits.wait(SECONDS)

    with erasure_lock.replaying(lock, pytest.fail):
        writer = Pausing(stream, let_it_begin)
        asyncio.run(replay(stream.lake, SITES, Selection(), writer, now=lambda: NOON, progress=lambda done: None))
        order.append("replayed")
    other.join(SECONDS)
    assert order == ["replayed", "erased"]
    assert look(stream.lake, Wanted(WHO)).nothing


def test_a_replay_waits_for_the_erasure_and_then_finds_nothing_to_send(stream: Stream, tmp_path: Path) -> None:
    reject_some(stream)
    lock, waits = tmp_path / erasure_lock.NAME, threading.Event()
    sent = []

    def replay_in_turn() -> None:
        with erasure_lock.replaying(lock, waits.set):
            sent.append(
                asyncio.run(
                    replay(stream.lake, SITES, Selection(), stream.writer, now=lambda: NOON, progress=lambda done: None)
                )
            )

    with erasure_lock.erasing(lock, pytest.fail):
        other = threading.Thread(target=replay_in_turn)
        other.start()
        assert waits.wait(SECONDS)
        erased(stream)
    other.join(SECONDS)
    assert sent == [0]
    assert look(stream.lake, Wanted(WHO)).nothing
