"""All sites of a deployment."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from sites.site import Site, host_of


class Sites:
    """All sites of a deployment, found by domain, key or web origin."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._by_domain = {site.domain: site for site in sites}
        # Found by digest: how long a look-up takes tells nothing of a key.
        self._by_digest = {
            _digest(key): (site, is_server)
            for site in self
            for keys, is_server in ((site.write_keys, False), (site.server_keys, True))
            for key in keys
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
        labels = host_of(origin).split(".")
        own = (self._by_domain.get(".".join(labels[first:])) for first in range(len(labels)))
        candidates = [*self._by_named_origin.get(origin, ()), *own, self._by_domain.get("localhost")]
        allowing = [site for site in candidates if site is not None and site.allows(origin)]
        return max(allowing, key=lambda site: len(site.domain), default=None)

    def time_zones(self) -> Mapping[str, str]:
        """Time zone by domain."""
        return {site.domain: site.time_zone for site in self}


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
