"""The sites that may send events: domains, keys, origins, policies, goals and funnels, read from sites.toml."""

from sites.errors import SitesError
from sites.live import LiveSites
from sites.reading import load_sites
from sites.registration import register_site
from sites.site import Funnel, Goal, Site, origin_of_page
from sites.sites import Sites

__all__ = [
    "Funnel",
    "Goal",
    "LiveSites",
    "Site",
    "Sites",
    "SitesError",
    "load_sites",
    "origin_of_page",
    "register_site",
]
