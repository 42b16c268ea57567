"""The salts of cookieless visitor ids: one for each calendar date, and gone 72 hours after it was made known.

Once a date's salt is gone, nobody can tell any more which address a visitor id was made of.
"""

import secrets
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from event_stream.topics import SALTS
from ingest_api.salt_folder import SaltFolder

_SALT_BYTES = 32

_KNOWN_BEFORE = timedelta(hours=14 + 12)
"""A date begins at UTC+14, so many hours before it does at UTC; 12 hours more let every collector hear of its salt."""

_IN_USE_FOR = timedelta(hours=24 + 12)
"""A date ends at UTC-12, so many hours after it began at UTC."""

_MICRO = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def known_from(day: date) -> int:
    """When the salt of a date is published, wherever in the world it is used; in microseconds since 1970 UTC."""
    return (_midnight(day) - _KNOWN_BEFORE - _EPOCH) // _MICRO


def forgotten_from(day: date) -> int:
    """When nobody knows the salt of a date any more: 10 hours after the date ended everywhere."""
    return known_from(day) + SALTS.retention // _MICRO


def dates_in_use(now: int) -> list[date]:
    """The dates whose salts collectors need at `now`, in microseconds since 1970 UTC: those of now and the next."""
    today = (_EPOCH + now * _MICRO).date()
    around = (today + timedelta(days=days) for days in range(-2, 3))
    return [day for day in around if known_from(day) <= now < (_midnight(day) + _IN_USE_FOR - _EPOCH) // _MICRO]


class Salts:
    """The salts of a host, from a folder that its processes share, and what its collectors agreed on by their topic.

    Where nothing was agreed on yet (Kafka was away), the host's own salt is used, so that no event waits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = SaltFolder(folder)
        self._agreed: dict[date, bytes] = {}
        self._of_zone: dict[str, tuple[int, bytes]] = {}

    def of_day(self, time_zone: str, now: int) -> bytes:
        """The salt of the date that it is in this IANA zone at `now`, in microseconds since 1970 UTC.

        Raises OSError where a new salt can't be stored.
        """
        known = self._of_zone.get(time_zone)
        if known is not None and now < known[0]:
            return known[1]
        zone = ZoneInfo(time_zone)
        day = (_EPOCH + now * _MICRO).astimezone(zone).date()
        midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
        salt = self.of_date(day)
        self._of_zone[time_zone] = ((midnight - _EPOCH) // _MICRO, salt)
        return salt

    def of_date(self, day: date) -> bytes:
        """What was agreed on, else the host's own. Raises OSError where a new salt can't be stored."""
        return self._agreed.get(day) or self._folder.shared(day, _new_salt)

    def agree(self, day: date, salt: bytes) -> bool:
        """Uses this salt for the date from now on, unless another was agreed on before; answers whether it does."""
        if day in self._agreed:
            return False
        self._agreed[day] = salt
        self._of_zone.clear()
        return True

    def agreed(self, day: date) -> bool:
        """Whether the date has the salt of all collectors."""
        return day in self._agreed

    def known(self, now: int) -> bool:
        """Whether every date in use has a salt already, be it only the host's own."""
        return all(day in self._agreed or self._folder.holds(day) for day in dates_in_use(now))

    def store(self, day: date) -> bool:
        """Keeps what was agreed on for a restart; answers whether the host had another salt. Raises OSError."""
        agreed = self._agreed.get(day)
        return agreed is not None and self._folder.replace(day, agreed)

    def forget(self, now: int) -> None:
        """Gives up the salts whose 72 hours are over at `now`, in memory and on disk. Raises OSError."""
        self._of_zone = {zone: known for zone, known in self._of_zone.items() if now < known[0]}
        self._agreed = {day: salt for day, salt in self._agreed.items() if now < forgotten_from(day)}
        self._folder.forget(lambda day: forgotten_from(day) <= now)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _new_salt() -> bytes:
    return secrets.token_bytes(_SALT_BYTES)
