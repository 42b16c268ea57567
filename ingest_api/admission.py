"""Which site a request may write to."""

from typing import NamedTuple

from ingest_api.errors import RequestRefused
from sites import LiveSites, Site, Sites


class Grant(NamedTuple):
    """The site that an event belongs to. The server key may say address and User-Agent, and write history."""

    site: Site
    server: bool


class Credentials(NamedTuple):
    """What a request says of itself."""

    key: str | None
    origin: str | None


def admit(sites: LiveSites, credentials: Credentials, claimed: str | None, default_site: str | None) -> Grant:
    """The site by key, else as claimed, else by Origin, else the default one. Raises RequestRefused."""
    key, origin = credentials
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
