"""The country of an address, from a MaxMind DB file that the operator brings: GeoLite2, DB-IP, ipinfo and others."""

import logging
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import Protocol

import maxminddb

from sites.file_signature import file_signature

_log = logging.getLogger(__name__)

_LOOKED_THROUGH = 1_000
"""Networks among which a file must name a country: one of autonomous systems, say, opens just as well."""


class CountryFileError(Exception):
    """The file can't be used; the sentence names it and says why."""


class Countries:
    """Follows a country file. A bad new one keeps the old one in use and says so in the log and in `trouble`."""

    def __init__(self, path: Path | None) -> None:
        """Without a file nobody has a country. Raises CountryFileError where the file is bad at the start."""
        self._path = path
        self._seen = file_signature(path) if path is not None else None
        self._database = _opened(path) if path is not None else None
        self._last: tuple[str, str | None] = ("", None)
        self.trouble: str | None = None

    def of(self, ip: str) -> str | None:
        """The country's ISO 3166-1 alpha-2 code; None where the file does not know, or `ip` is no address."""
        if self._database is None:
            return None
        # The events of a batch have one address: remembering this one, and no other, spares them the look-up.
        last_ip, country = self._last
        if ip != last_ip:
            country = _country_of(self._database, ip)
            self._last = (ip, country)
        return country

    def refresh(self) -> None:
        """Opens the file again if it is another one than at the last look. It reads a file: not for an event loop."""
        if self._path is None or (signature := file_signature(self._path)) == self._seen:
            return
        self._seen = signature
        try:
            self._database = _opened(self._path)
            self._last = ("", None)
            self.trouble = None
        except CountryFileError as error:
            self.trouble = f"{error} The countries known before stay in use."
            _log.error("%s", self.trouble)


class _Database(Protocol):
    def get(self, ip_address: str, /) -> object: ...


def _opened(path: Path) -> _Database:
    """The file, mapped into memory as a copy of our own: a mapped file that somebody truncates kills the process."""
    try:
        with path.open("rb") as original, tempfile.NamedTemporaryFile(prefix="logektor-countries-") as own:
            shutil.copyfileobj(original, own, 1024 * 1024)
            own.flush()
            # It stays mapped when its name is gone.
            database = maxminddb.open_database(own.name)
        found = any(_country_in(record) for _, record in islice(database, _LOOKED_THROUGH))
    except OSError as error:
        raise CountryFileError(f"{path}: the country file can't be read: {error.strerror}.") from error
    except maxminddb.InvalidDatabaseError:
        raise CountryFileError(f"{path}: not a whole MaxMind DB file (.mmdb).") from None
    if not found:
        raise CountryFileError(f"{path}: no country file: its networks name no country ({_type_of(database)}).")
    return database


def _type_of(database: maxminddb.Reader) -> str:
    return f"it is of the type {database.metadata().database_type!r}"


def _country_of(database: _Database, ip: str) -> str | None:
    try:
        return _country_in(database.get(ip))
    except (ValueError, TypeError, maxminddb.InvalidDatabaseError):
        # No address, one of IPv6 where the file has none, or a record that is damaged.
        return None


def _country_in(record: object) -> str | None:
    """GeoLite2 and DB-IP: {"country": {"iso_code": "DE"}}; ipinfo: {"country_code": "DE"} or {"country": "DE"}."""
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    return code if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isupper() else None
