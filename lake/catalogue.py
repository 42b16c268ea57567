"""Which reports there are, as the Delta tables themselves say: for readers that know no definition of a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lake.location import Lake


@dataclass(frozen=True)
class CatalogueColumn:
    """A column of a report. `dtype` is the name of its Polars type, such as String, Date or Int64.

    `additive` says whether values of several rows may be added up: page views may, visitors may not.
    """

    name: str
    dtype: str
    meaning: str
    unit: str
    additive: bool


@dataclass(frozen=True)
class CatalogueEntry:
    """A report as one version of its table describes it. `key` names a row; `refreshed_at` (UTC) is that version's."""

    name: str
    description: str
    key: Sequence[str]
    columns: Sequence[CatalogueColumn]
    version: int
    refreshed_at: datetime


@dataclass(frozen=True)
class OpenReport:
    """The rows of one version of a report, whatever is written meanwhile."""

    entry: CatalogueEntry
    scan: pl.LazyFrame


class Catalogue:
    """The reports of a lake. Holds the tables open, so that asking often is cheap; may be used by several threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def entries(self) -> list[CatalogueEntry]:
        """All reports by name, as they are now. Raises LakeAway."""
        return []

    def open(self, name: str) -> OpenReport:
        """A report as it is now. Raises TableMissing where there is no report of this name, and LakeAway."""
        raise NotImplementedError
