"""The lake and the sites, as assets, checks and sensors get them."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from lake.location import Lake
from sites import Sites, load_sites


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # it answers itself
    """Where the tables and the sites are."""

    uri: str = Field(description="the lake: a folder or s3://…")
    sites_file: str = Field(description="sites.toml; it says when a site's days begin, and its goals")
    query_url: str | None = Field(default=None, description="where reports are read, for links to them")

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.uri)

    @property
    def removals_key(self) -> Path:
        """The key of what the table `removals` says of erasures."""
        return Path(self.sites_file).with_name("removals_key")

    @property
    def erasures(self) -> Path:
        """The folder of files that say who is to be erased."""
        return Path(self.sites_file).with_name("erasures")

    def sites(self) -> Sites:
        """The sites, as sites.toml says now. Raises SitesError."""
        return load_sites(Path(self.sites_file))

    def time_zones(self) -> Mapping[str, str]:
        """IANA time zone by site, as sites.toml says now. Raises SitesError."""
        return self.sites().time_zones()
