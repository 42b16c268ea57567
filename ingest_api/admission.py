"""Which site a request may write to."""

import msgspec

from ingest_api.errors import RequestRefused
from sites import LiveSites, Site, Sites

_MOST_REMEMBERED = 4_096
_LONGEST_REMEMBERED = 300


class Grant(msgspec.Struct, frozen=True, gc=False):
    """The site that an event belongs to. The server key may say address and User-Agent, and write history."""

    site: Site
    server: bool


class Admission:
    """Remembers whom it admitted for as long as the sites stay as they are."""

    def __init__(self, sites: LiveSites, default_site: str | None) -> None:
        self._sites = sites
        self._default_site = default_site
        self._remembered_of: Sites | None = None
        self._grants: dict[tuple[str | None, str | None, str | None], Grant] = {}
        self._allowed_origins: set[str] = set()

    def grant(self, key: str | None, origin: str | None, claimed: str | None) -> Grant:
        """The site by key, else as claimed, else by Origin, else the default one. Raises RequestRefused."""
        self._forget_what_changed()
        grant = self._grants.get((key, origin, claimed))
        if grant is None:
            grant = admit(self._sites, key, origin, claimed, self._default_site)
            if len(self._grants) < _MOST_REMEMBERED and len(origin or "") <= _LONGEST_REMEMBERED:
                self._grants[key, origin, claimed] = grant
        return grant

    def some_site_allows(self, origin: str) -> bool:
        """Whether pages of this Origin may read answers; what they may write is another question."""
        self._forget_what_changed()
        allowed = origin in self._allowed_origins
        if not allowed:
            allowed = self._sites.find(lambda known: known.by_origin(origin)) is not None
            if allowed and len(self._allowed_origins) < _MOST_REMEMBERED:
                self._allowed_origins.add(origin)
        return allowed

    def _forget_what_changed(self) -> None:
        current = self._sites.current()
        if current is not self._remembered_of:
            self._remembered_of = current
            self._grants = {}
            self._allowed_origins = set()


def admit(
    sites: LiveSites, key: str | None, origin: str | None, claimed: str | None, default_site: str | None
) -> Grant:
    """What `Admission.grant` answers. Raises RequestRefused."""
    if key is not None:
        return _by_key(sites, key, origin, claimed)
    if claimed is not None:
        return Grant(_by_claim(sites, claimed, origin, default_site), server=False)
    if origin is not None:
        return Grant(_by_origin(sites, origin), server=False)
    return Grant(_by_default(sites, default_site), server=False)


def _by_key(sites: LiveSites, key: str, origin: str | None, claimed: str | None) -> Grant:
    found = sites.find(lambda known: known.by_key(key))
    if found is None:
        raise RequestRefused(401, "unknown_key", "No site has this key. The keys are in sites.toml.")
    site, server = found
    if claimed is not None and claimed != site.domain:
        raise RequestRefused(
            403, "other_site", "The key is not one of the site that the event names.", "site", site=site.domain
        )
    if origin is not None and not server:
        _require_allowed(site, origin)
    return Grant(site, server)


def _by_claim(sites: LiveSites, claimed: str, origin: str | None, default_site: str | None) -> Site:
    site = _known(sites, claimed)
    if origin is None and claimed != default_site:
        raise _key_needed()
    if site is None:
        raise RequestRefused(401, "unknown_site", "No site of sites.toml has this domain.", "site")
    if origin is not None:
        _require_allowed(site, origin)
    return site


def _by_origin(sites: LiveSites, origin: str) -> Site:
    site = sites.find(lambda known: known.by_origin(origin))
    if site is None:
        raise _origin_refused(None)
    return site


def _by_default(sites: LiveSites, default_site: str | None) -> Site:
    site = _known(sites, default_site) if default_site is not None else None
    if site is None:
        raise _key_needed()
    return site


def _known(sites: LiveSites, domain: str) -> Site | None:
    def by_domain(known: Sites) -> Site | None:
        return known.by_domain(domain)

    return sites.find(by_domain)


def _require_allowed(site: Site, origin: str) -> None:
    if not site.allows(origin):
        raise _origin_refused(site)


def _origin_refused(site: Site | None) -> RequestRefused:
    return RequestRefused(
        403,
        "origin_not_allowed",
        "The site does not allow this Origin. Add it to the site's origins in sites.toml.",
        site=site.domain if site is not None else None,
    )


def _key_needed() -> RequestRefused:
    return RequestRefused(
        401, "key_needed", "Send the site's key: Authorization: Bearer KEY, or ?key=KEY. The keys are in sites.toml."
    )
