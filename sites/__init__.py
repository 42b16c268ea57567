"""The sites that may send events: domains, keys, origins and time zones, read from sites.toml."""

from sites.errors import SitesError
from sites.live import LiveSites
from sites.registration import register_site
from sites.site import Site, Sites, load_sites

__all__ = ["LiveSites", "Site", "Sites", "SitesError", "load_sites", "register_site"]
