"""A site, and all sites of a deployment, as sites.toml declares them."""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sites.errors import SitesError


@dataclass(frozen=True)
class Site:
    """One site.

    `write_key` is public (it may stand in a page), `server_key` is secret: it may say the client's address and
    User-Agent and may write history. `time_zone` (IANA) says when the site's days begin. `origins` are web origins
    allowed besides the domain itself and its subdomains.
    """

    domain: str
    write_key: str
    server_key: str
    time_zone: str = "UTC"
    origins: tuple[str, ...] = ()
    rate_limit: int | None = None
    oldest_days: int = 90
    do_not_track: str = "anonymous"
    bots: str = "label"
    query_parameters: tuple[str, ...] = ()

    def allows(self, origin: str) -> bool:
        """Whether a page of this web origin may send this site's events; localhost is also 127.0.0.1, on any port."""
        if origin in self.origins:
            return True
        host = _host(origin)
        return (
            host == self.domain
            or host.endswith("." + self.domain)
            or (self.domain == "localhost" and host == "127.0.0.1")
        )


_LONGEST_ORIGIN = 300
"""Longer than the longest DNS name with scheme and port; anybody may send an Origin of any length."""


def _host(origin: str) -> str:
    return _parsed_host(origin) if len(origin) <= _LONGEST_ORIGIN else ""


@lru_cache(1024)
def _parsed_host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


class Sites:
    """All sites of a deployment, found by domain, key or web origin."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._by_domain = {site.domain: site for site in sites}
        # Found by digest: how long a look-up takes tells nothing of a key.
        self._by_digest = {
            _digest(key): (site, is_server)
            for site in self
            for key, is_server in ((site.write_key, False), (site.server_key, True))
        }
        self._by_named_origin: dict[str, list[Site]] = {}
        for site in self:
            for origin in site.origins:
                self._by_named_origin.setdefault(origin, []).append(site)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._by_domain.values())

    def __len__(self) -> int:
        return len(self._by_domain)

    def by_domain(self, domain: str) -> Site | None:
        """The site of this domain."""
        return self._by_domain.get(domain)

    def by_key(self, key: str) -> tuple[Site, bool] | None:
        """The site that a key writes to, and whether it is the server key."""
        return self._by_digest.get(_digest(key))

    def by_origin(self, origin: str) -> Site | None:
        """The site that allows this web origin; the longest domain where several do."""
        labels = _host(origin).split(".")
        own = (self._by_domain.get(".".join(labels[first:])) for first in range(len(labels)))
        candidates = [*self._by_named_origin.get(origin, ()), *own, self._by_domain.get("localhost")]
        allowing = [site for site in candidates if site is not None and site.allows(origin)]
        return max(allowing, key=lambda site: len(site.domain), default=None)

    def time_zones(self) -> Mapping[str, str]:
        """Time zone by domain."""
        return {site.domain: site.time_zone for site in self}


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def load_sites(path: Path) -> Sites:
    """All sites of a sites.toml; none where the file does not exist. Raises SitesError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Sites([])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SitesError(
            f"{path}: not valid TOML: {error}. Mend the file; the sites known before stay in use."
        ) from error
    return Sites(parse_sites(document, str(path)))


def parse_sites(document: Mapping[str, Any], where: str) -> list[Site]:
    """The sites of a parsed sites.toml: one `[[site]]` table each. Raises SitesError."""
    unknown = set(document) - {"site"}
    if unknown:
        raise SitesError(f"{where}: unknown table {sorted(unknown)[0]!r}; each site is one [[site]] table.")
    sites = [_parse_site(table, where) for table in document.get("site", [])]
    _require_unique(sites, where)
    return sites


def _parse_site(table: Mapping[str, Any], where: str) -> Site:
    place = f"{where}: site {table.get('domain', '(without domain)')!r}"
    unknown = set(table) - {"domain", "write_key", "server_key", "time_zone", "origins"}
    if unknown:
        raise SitesError(f"{place}: unknown setting {sorted(unknown)[0]!r}.")
    for field in ("domain", "write_key", "server_key"):
        if not isinstance(table.get(field), str) or not table[field]:
            raise SitesError(f"{place}: {field} must be a text that is not empty.")
    time_zone = table.get("time_zone", "UTC")
    try:
        ZoneInfo(time_zone)
    except (TypeError, ValueError, OSError, KeyError) as error:
        raise SitesError(f"{place}: time_zone {time_zone!r} is not an IANA time zone such as Europe/Berlin.") from error
    origins = table.get("origins", [])
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise SitesError(f"{place}: origins must be a list of texts such as 'https://example.com'.")
    return Site(table["domain"], table["write_key"], table["server_key"], time_zone, tuple(origins))


def _require_unique(sites: list[Site], where: str) -> None:
    domains = [site.domain for site in sites]
    keys = [key for site in sites for key in (site.write_key, site.server_key)]
    for name, values in (("domain", domains), ("key", keys)):
        if len(set(values)) != len(values):
            # A key is a secret, so only the kind of the clash is told.
            raise SitesError(f"{where}: the same {name} is used twice; each site needs its own.")
