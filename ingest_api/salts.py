"""The salts of cookieless visitor ids: one for each day, gone three days later.

Kept in files so that all processes of a host share them and a restart does not change a visitor. Once a day's salt is
gone, nobody can tell any more which address a visitor id was made of.
"""

import os
import secrets
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

_SALT_BYTES = 32
_KEPT_FOR = timedelta(hours=72)
_EARLIEST_ZONE = timedelta(hours=14)
"""A date begins at UTC+14, so many hours before it does at UTC."""

_MICRO = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Salts:
    """The salts under a folder, one for each calendar date. Several processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        salt = self._shared(day)
        self._of_zone[time_zone] = ((midnight - _EPOCH) // _MICRO, salt)
        return salt

    def forget(self, now: int) -> None:
        """Deletes the salts that were kept for 72 hours at `now`, in microseconds since 1970 UTC."""
        self._of_zone = {zone: known for zone, known in self._of_zone.items() if now < known[0]}
        if not self._folder.exists():
            return
        for file in self._folder.iterdir():
            try:
                day = date.fromisoformat(file.name.partition(".")[0])
            except ValueError:
                continue
            began = datetime.combine(day, time(), tzinfo=UTC) - _EARLIEST_ZONE
            if (began + _KEPT_FOR - _EPOCH) // _MICRO <= now:
                file.unlink(missing_ok=True)

    def _shared(self, day: date) -> bytes:
        file = self._folder / day.isoformat()
        try:
            return file.read_bytes()
        except FileNotFoundError:
            self._create(file)
            return file.read_bytes()

    def _create(self, file: Path) -> None:
        """Whole or not at all, and never over the salt of another process: the first one wins."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, own = tempfile.mkstemp(prefix=f"{file.name}.", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(secrets.token_bytes(_SALT_BYTES))
                opened.flush()
                os.fsync(opened.fileno())
            try:
                os.link(own, file)
            except FileExistsError:
                return
        finally:
            Path(own).unlink()
