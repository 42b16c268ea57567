"""How the collectors of a deployment come to the same salts: the first record of a date on their topic wins.

Each date's salt is published by whoever comes first, 12 hours before the date begins anywhere, so that all have heard
of it when they need it. Who can't ask Kafka makes a salt of its own and publishes it when Kafka is back. If another
collector's is there by then, that one counts from then on: a visitor without any other id may have two on this one day.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import date
from typing import Annotated

import msgspec

from event_stream.errors import WriteRefused
from event_stream.ports import SharedLog
from ingest_api.salts import Salts, dates_in_use, forgotten_from, known_from

_log = logging.getLogger(__name__)

_FIRST_LOOK_SECONDS = 0.05
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 60.0


class SaltRecord(msgspec.Struct, frozen=True):
    """A record of the topic. `date` is a site's own calendar date; JSON has the salt as base64."""

    date: date
    # As long as blake2b takes it for a key.
    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=64)]


_decoder = msgspec.json.Decoder(SaltRecord)


class SharedSalts:
    """Keeps `salts` in step with those of all other collectors. `now` answers microseconds since 1970 UTC."""

    def __init__(self, salts: Salts, topic: SharedLog, now: Callable[[], int]) -> None:
        self._salts = salts
        self._topic = topic
        self._now = now
        self._unstored: list[date] = []
        self._dates: list[date] = []
        self._told_at = float("-inf")
        self.heard = asyncio.Event()
        """Set when all that the topic held was read."""

    async def follow(self) -> None:
        """Goes on until it is cancelled, whatever happens to Kafka and the disk."""
        while True:
            try:
                self.forget()
            except OSError as error:
                self._tell(f"forgotten: {error}")
            try:
                await self.look()
            except (WriteRefused, OSError) as error:
                self._tell(f"shared: {error}")
            await asyncio.sleep(_LOOK_SECONDS if self.heard.is_set() else _FIRST_LOOK_SECONDS)

    async def look(self) -> None:
        """Believes what was published, then publishes what is missing. Raises WriteRefused, OSError."""
        now = self._now()
        for value in self._topic.read():
            self._believe(value, now)
        await self._store()
        if not self._topic.is_read():
            return
        self.heard.set()
        for day in dates_in_use(now):
            if not self._salts.agreed(day):
                salt = await asyncio.to_thread(self._salts.of_date, day)
                value = msgspec.json.encode(SaltRecord(day, salt))
                # Its retention counts from the same moment for everybody, however late it is published.
                await self._topic.append(value, known_from(day) // 1_000)

    def forget(self) -> None:
        """Gives up the salts whose time is over. Raises OSError."""
        now = self._now()
        # One is over whenever the salt of another date is due.
        if (dates := dates_in_use(now)) != self._dates:
            self._salts.forget(now)
            self._dates = dates

    def _believe(self, value: bytes, now: int) -> None:
        try:
            record = _decoder.decode(value)
        except msgspec.MsgspecError:
            _log.warning("A record of the salts' topic is none; it is passed over.")
            return
        if now < forgotten_from(record.date) and self._salts.agree(record.date, record.salt):
            self._unstored.append(record.date)

    async def _store(self) -> None:
        while self._unstored:
            day = self._unstored[0]
            if await asyncio.to_thread(self._salts.store, day):
                _log.warning(
                    "Another collector's salt counts for %s, not the one that this host made while it could not ask: "
                    "visitors without any other id may have two on that day.",
                    day,
                )
            del self._unstored[0]

    def _tell(self, trouble: str) -> None:
        """What fails again and again is told once in a while."""
        if time.monotonic() - self._told_at >= _TELL_SECONDS:
            self._told_at = time.monotonic()
            _log.warning("The salts of visitor ids can't be %s. It is tried again.", trouble)
