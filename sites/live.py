"""The sites as they are now: sites.toml is read again when it changes."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sites.errors import SitesError
from sites.file_signature import file_signature
from sites.reading import load_sites
from sites.sites import Sites

Found = TypeVar("Found")

_log = logging.getLogger(__name__)


class LiveSites:
    """Follows a sites.toml. A bad edit keeps the sites known before and says so in the log and in `trouble`."""

    def __init__(self, path: Path) -> None:
        """Raises SitesError where the file is bad at the start."""
        self._path = path
        self._seen = file_signature(self._path)
        self._sites = load_sites(path)
        self.trouble: str | None = None

    def current(self) -> Sites:
        """The sites of the last good reading."""
        return self._sites

    def refresh(self) -> Sites:
        """Reads the file again if it is another one than at the last look."""
        signature = file_signature(self._path)
        if signature == self._seen:
            return self._sites
        self._seen = signature
        try:
            self._sites = self._read_again()
            self.trouble = None
        except SitesError as error:
            self.trouble = str(error)
            _log.error("%s", error)
        return self._sites

    def _read_again(self) -> Sites:
        """Raises SitesError, also where no site is left: an editor empties a file for a moment before it writes."""
        sites = load_sites(self._path)
        if len(self._sites) and not len(sites):
            raise SitesError(f"{self._path}: holds no site any more; the sites known before stay in use.")
        return sites

    def find(self, look_up: Callable[[Sites], Found | None]) -> Found | None:
        """Looks a site up, and once more in a file that changed since: a site just added is known at once."""
        return look_up(self._sites) or look_up(self.refresh())
