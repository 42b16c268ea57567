"""What a report is built from, as the refresh sees it."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Protocol

import polars as pl


class Input(Protocol):
    """A source of rows by day, as it was when it was opened."""

    @property
    def revisions(self) -> Mapping[date, int]:
        """A number for each day that was ever written; it changes whenever the day's rows may have."""

    def scan(self, days: Collection[date]) -> pl.LazyFrame:
        """The rows of some days."""

    def rows(self, day: date) -> int:
        """How many rows a day has."""
