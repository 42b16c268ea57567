"""Collectors that share a topic have the same salts, whoever comes first; on the stream in memory and on Kafka."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from event_stream.errors import WriteRefused
from event_stream.memory import MemoryLog, MemoryStream
from event_stream.ports import SharedLog
from event_stream.topics import SALTS
from ingest_api.salts import Salts, dates_in_use, forgotten_from, known_from
from ingest_api.shared_salts import SaltRecord, SharedSalts
from tests.event_stream.test_log_contract import InKafka

NOW = time.time_ns() // 1_000
"""Microseconds since 1970 UTC; a broker would not keep records of another time."""

DATES = dates_in_use(NOW)
SECONDS = 60

NewLog = Callable[[], SharedLog]


class Collector:
    """What a collector has to do with salts: a host's folder, and its own view of the topic."""

    def __init__(self, home: Path, topic: SharedLog) -> None:
        self.now = NOW
        self.folder = home / "salts"
        self.salts = Salts(self.folder)
        self.shared = SharedSalts(self.salts, topic, lambda: self.now)

    def all_salts(self) -> dict[date, bytes]:
        return {day: self.salts.of_date(day) for day in dates_in_use(self.now)}

    def on_disk(self) -> dict[date, bytes]:
        return {date.fromisoformat(file.name): file.read_bytes() for file in self.folder.iterdir()}

    def has_agreed(self) -> bool:
        return all(self.salts.agreed(day) for day in dates_in_use(self.now))


def agree(*collectors: Collector) -> None:
    """All look at the same time, until each has agreed with the others."""

    async def one(collector: Collector) -> None:
        deadline = time.monotonic() + SECONDS
        await collector.shared.look()
        while not collector.has_agreed():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
            await collector.shared.look()

    async def run() -> None:
        await asyncio.gather(*map(one, collectors))

    asyncio.run(run())


def look(collector: Collector) -> None:
    asyncio.run(collector.shared.look())


@pytest.fixture
def stream() -> MemoryStream:
    return MemoryStream((SALTS,))


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def new_log(request: pytest.FixtureRequest) -> Iterator[NewLog]:
    """Each call is another view of the same topic."""
    if request.param == "memory":
        stream = request.getfixturevalue("stream")
        yield lambda: MemoryLog(stream, SALTS)
    else:
        place = InKafka(request.getfixturevalue("kafka"))
        yield place.log
        place.close()


def stored(stream: MemoryStream) -> list[SaltRecord]:
    (log,) = stream.logs.values()
    return [msgspec.json.decode(record.value, type=SaltRecord) for record in log]


def publish(stream: MemoryStream, *records: bytes) -> None:
    log = MemoryLog(stream, SALTS)
    for value in records:
        asyncio.run(log.append(value, 0))


def test_collectors_of_two_hosts_have_the_same_salts_of_all_dates(new_log: NewLog, tmp_path: Path) -> None:
    one, other = Collector(tmp_path / "one", new_log()), Collector(tmp_path / "other", new_log())
    agree(one)
    agree(other)
    assert set(one.all_salts()) == set(DATES)
    assert one.all_salts() == one.on_disk() == other.all_salts() == other.on_disk()


def test_collectors_that_publish_at_once_end_with_the_same_salts(new_log: NewLog, tmp_path: Path) -> None:
    collectors = [Collector(tmp_path / name, new_log()) for name in ("one", "other", "third")]
    for collector in collectors:
        # Each has used one of its own already.
        collector.all_salts()
    agree(*collectors)
    (salts,) = {tuple(collector.all_salts().items()) for collector in collectors}
    assert all(collector.on_disk() == dict(salts) for collector in collectors)


def test_of_one_host_several_processes_have_the_same_salts(stream: MemoryStream, tmp_path: Path) -> None:
    one, other = (Collector(tmp_path, MemoryLog(stream, SALTS)) for _ in range(2))
    own = one.all_salts()
    agree(one, other)
    assert one.all_salts() == other.all_salts() == own
    assert {(record.date, record.salt) for record in stored(stream)} == set(own.items())


def test_a_salt_made_while_kafka_was_away_is_everybodys_when_it_is_back(stream: MemoryStream, tmp_path: Path) -> None:
    stream.available = False
    one, other = (Collector(tmp_path / name, MemoryLog(stream, SALTS)) for name in ("one", "other"))
    made = one.salts.of_day("UTC", NOW)
    look(one)
    assert one.salts.of_day("UTC", NOW) == made
    stream.available = True
    agree(one)
    agree(other)
    assert one.salts.of_day("UTC", NOW) == other.salts.of_day("UTC", NOW) == made


def test_another_ones_salt_wins_where_it_was_published_first(
    stream: MemoryStream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, late = (Collector(tmp_path / name, MemoryLog(stream, SALTS)) for name in ("first", "late"))
    made = late.salts.of_day("UTC", NOW)
    agree(first)
    with caplog.at_level(logging.WARNING):
        agree(late)
    assert made != late.salts.of_day("UTC", NOW) == first.salts.of_day("UTC", NOW)
    assert late.on_disk() == first.on_disk()
    (said,) = caplog.messages
    assert "may have two on that day" in said
    for salt in (made, *first.all_salts().values()):
        assert salt.hex() not in caplog.text
        assert msgspec.json.encode(salt).decode().strip('"') not in caplog.text


def test_a_restart_while_kafka_is_away_keeps_what_was_agreed_on(stream: MemoryStream, tmp_path: Path) -> None:
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    agree(collector)
    stream.available = False
    again = Collector(tmp_path, MemoryLog(stream, SALTS))
    look(again)
    assert not again.shared.heard.is_set()
    assert again.all_salts() == collector.all_salts()


def test_a_salt_is_published_when_its_time_comes_and_counts_its_72_hours_from_there(
    stream: MemoryStream, tmp_path: Path
) -> None:
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    agree(collector)
    coming = DATES[-1] + timedelta(days=1)
    collector.now = known_from(coming) - 1
    agree(collector)
    assert {record.date for record in stored(stream)} == set(DATES)
    collector.now = known_from(coming)
    agree(collector)
    (log,) = stream.logs.values()
    assert [record.date for record in stored(stream)] == [*DATES, coming]
    assert [record.timestamp for record in log] == [known_from(day) // 1_000 for day in (*DATES, coming)]


def test_a_salt_whose_time_is_over_is_not_believed_again(stream: MemoryStream, tmp_path: Path) -> None:
    over = next(day for back in range(9) if forgotten_from(day := DATES[0] - timedelta(days=back)) <= NOW)
    publish(stream, msgspec.json.encode(SaltRecord(over, bytes(32))))
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    agree(collector)
    assert over not in collector.on_disk()
    assert not collector.salts.agreed(over)


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"null", b'{"date":"today","salt":"AAAA"}', b'{"date":"2026-11-24"}', b"\xff" * 40]
    + [msgspec.json.encode(SaltRecord(DATES[0], bytes(length))) for length in (0, 15, 65)],
)
def test_a_record_that_is_no_salt_is_passed_over(
    stream: MemoryStream, tmp_path: Path, caplog: pytest.LogCaptureFixture, record: bytes
) -> None:
    publish(stream, record)
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    agree(collector)
    assert all(len(salt) == 32 for salt in collector.all_salts().values())
    assert caplog.messages == ["A record of the salts' topic is none; it is passed over."]


def test_a_disk_that_is_full_keeps_nobody_from_agreeing_and_is_tried_again(
    stream: MemoryStream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(first := Collector(tmp_path / "first", MemoryLog(stream, SALTS)))
    collector = Collector(tmp_path / "full", MemoryLog(stream, SALTS))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            look(collector)
        assert collector.all_salts() == first.all_salts()
    look(collector)
    assert collector.on_disk() == first.on_disk()


def test_what_kafka_refuses_is_published_at_another_look(stream: MemoryStream, tmp_path: Path) -> None:
    class Refusing(MemoryLog):
        refusals = 1

        async def append(self, value: bytes, timestamp: int) -> None:
            if self.refusals:
                self.refusals -= 1
                raise WriteRefused("the queue to Kafka is full")
            await super().append(value, timestamp)

    collector = Collector(tmp_path, Refusing(stream, SALTS))
    with pytest.raises(WriteRefused):
        look(collector)
    agree(collector)
    assert [record.date for record in stored(stream)] == DATES


def test_following_goes_on_until_it_is_stopped(stream: MemoryStream, tmp_path: Path) -> None:
    stream.available = False
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))

    async def scenario() -> None:
        following = asyncio.create_task(collector.shared.follow())
        await asyncio.sleep(0)
        assert not collector.shared.heard.is_set()
        stream.available = True
        await asyncio.wait_for(collector.shared.heard.wait(), SECONDS)
        async with asyncio.timeout(SECONDS):
            while not collector.has_agreed():  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.02)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        assert following.cancelled()

    asyncio.run(scenario())


def test_a_salt_is_gone_from_memory_and_disk_the_moment_its_time_is_over(stream: MemoryStream, tmp_path: Path) -> None:
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    agree(collector)
    first, *others = DATES
    collector.now = forgotten_from(first) - 1
    collector.shared.forget()
    assert collector.salts.agreed(first)
    assert first in collector.on_disk()
    collector.now = forgotten_from(first)
    collector.shared.forget()
    assert not collector.salts.agreed(first)
    assert set(collector.on_disk()) == set(others)
    assert all(collector.salts.agreed(day) for day in others)


def test_salts_are_forgotten_while_kafka_is_away_too(stream: MemoryStream, tmp_path: Path) -> None:
    stream.available = False
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    collector.all_salts()
    collector.now = forgotten_from(DATES[-1])

    async def scenario() -> None:
        following = asyncio.create_task(collector.shared.follow())
        async with asyncio.timeout(SECONDS):
            while collector.on_disk():  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.02)
        following.cancel()

    asyncio.run(scenario())


def test_following_outlives_a_disk_that_fails(
    stream: MemoryStream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(tmp_path, MemoryLog(stream, SALTS))
    # No file, so it can't be deleted as one.
    (collector.folder / "2020-01-01").mkdir(parents=True)

    async def scenario() -> None:
        following = asyncio.create_task(collector.shared.follow())
        async with asyncio.timeout(SECONDS):
            while not collector.has_agreed():  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.02)
        following.cancel()

    asyncio.run(scenario())
    assert len(caplog.messages) == 1
