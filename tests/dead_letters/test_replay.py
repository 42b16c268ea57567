"""Replaying: each dead letter that is valid by now is sent, and counts once; the rest stays as it is."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from event_stream.errors import WriteRefused
from event_stream.ports import EventWriter, OutgoingRecord
from lake.dead_letters import Selection
from lake.errors import LakeAway
from logektor import replay as replaying
from logektor.replay import ReplayStopped, look_ahead, replay
from tests.dead_letters.stream import NOON, SITES, Stream

INVALID = Selection(reason="invalid")
OF_EVERY_REASON = Selection()


def replayed(stream: Stream, writer: EventWriter, selection: Selection = INVALID) -> int:
    return asyncio.run(replay(stream.lake, SITES, selection, writer, now=lambda: NOON, progress=lambda done: None))


class BreakingWriter:
    """An EventWriter on the stream that refuses everything from the n-th record on."""

    def __init__(self, stream: Stream, takes: int) -> None:
        self._stream = stream
        self._left = takes

    async def write(self, records: Sequence[OutgoingRecord]) -> Sequence[WriteRefused | None]:
        taken = records[: self._left]
        self._left -= len(taken)
        await self._stream.writer.write(taken)
        return [*[None] * len(taken), *[WriteRefused("broken")] * (len(records) - len(taken))]

    def healthy(self) -> bool:
        return True

    async def close(self, deadline: float) -> None: ...


def rejected(stream: Stream, valid: int, invalid: int) -> None:
    """A commit of bodies that are events by now, and of others that are not."""
    for number in range(valid):
        stream.reject(b'{"action":"view","url":"https://shop.example/%d"}' % number)
    for _ in range(invalid):
        stream.reject(b'{"action":"view","objectId":true}')
    stream.land()


def test_what_is_valid_by_now_counts_once_however_often_it_is_replayed(stream: Stream) -> None:
    rejected(stream, valid=3, invalid=2)
    assert replayed(stream, stream.writer) == 3
    assert replayed(stream, stream.writer) == 0
    stream.land()
    assert replayed(stream, stream.writer) == 0
    assert stream.raw().height == stream.counted().height == 3
    # What is still invalid was not written again: there are the five that there were.
    assert [letter.replayed for letter in stream.letters()].count(True) == 3
    assert len(stream.letters()) == 5


def test_a_replayed_event_counts_on_the_day_it_was_received(stream: Stream) -> None:
    rejected(stream, valid=1, invalid=0)
    stream.now += timedelta(days=3)
    replayed(stream, stream.writer)
    stream.land()
    assert stream.counted()["event_date"].to_list() == [NOON.date()]


def test_who_dies_between_sending_and_recording_sends_again_and_it_counts_once(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected(stream, valid=3, invalid=1)

    def dies(*_: object) -> None:
        raise LakeAway("killed")

    with monkeypatch.context() as patched:
        patched.setattr(replaying, "record_replays", dies)
        with pytest.raises(LakeAway):
            replayed(stream, stream.writer)
    stream.land()
    assert replayed(stream, stream.writer) == 3
    stream.land()
    assert stream.raw().height == 6
    assert stream.counted().height == 3


def test_what_a_client_sent_again_meanwhile_counts_once(stream: Stream) -> None:
    stream.reject(b'{"eventId":"a","action":"view"}')
    stream.reject(b'{"eventId":"a","action":"view"}')
    stream.land()
    assert replayed(stream, stream.writer) == 2
    stream.land()
    assert stream.counted()["event_id"].to_list() == ["a"]


def test_a_replay_that_stops_half_way_goes_on_where_it_stopped(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "BATCH_LETTERS", 4)
    rejected(stream, valid=10, invalid=3)
    with pytest.raises(ReplayStopped, match="6 were sent"):
        replayed(stream, BreakingWriter(stream, takes=6))
    assert replayed(stream, stream.writer) == 4
    stream.land()
    assert stream.raw().height == stream.counted().height == 10


def test_looking_ahead_tells_what_a_replay_does_and_does_nothing(stream: Stream) -> None:
    rejected(stream, valid=2, invalid=3)
    stream.send(b"no event")
    stream.land()
    outlook = look_ahead(stream.lake, SITES, OF_EVERY_REASON)
    assert (outlook.valid, outlook.invalid) == (2, {"invalid": 3, "undecodable": 1})
    assert "objectId" in outlook.details["invalid"]
    assert sum(map(len, stream.stream.logs.values())) == 6
    assert not any(letter.replayed for letter in stream.letters())


def test_every_letter_is_an_event_or_stays(stream: Stream) -> None:
    """Count in = count out."""
    rejected(stream, valid=7, invalid=5)
    stream.send(b"no event")
    stream.land()
    assert replayed(stream, stream.writer, OF_EVERY_REASON) == 7
    stream.land()
    stays = [letter for letter in stream.letters() if not letter.replayed]
    assert stream.counted().height + len(stays) == 7 + 5 + 1
