"""Sites with goals and funnels, as reports get them."""

from collections.abc import Mapping

import polars as pl

from pipelines.refresh.site_frames import site_frames
from sites import Funnel, Goal, Site
from tests.reports.rows import SITE


def site(*goals: Goal, funnels: tuple[Funnel, ...] = (), domain: str = SITE) -> Site:
    """A site with what it wants its visitors to do."""
    return Site(domain, (f"pk_of_{domain}",), (f"sk_of_{domain}",), goals=goals, funnels=funnels)


def settings(*sites: Site) -> Mapping[str, pl.LazyFrame]:
    """The frames `site_goals` and `site_funnels`."""
    return site_frames(sites)
