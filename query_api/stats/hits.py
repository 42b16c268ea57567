"""The table `hits` as stats queries read it: each event of people with the visit it belongs to."""

from dataclasses import dataclass

import polars as pl

from lake.catalogue import Catalogue
from lake.errors import TableMissing

_NAME = "hits"

SCHEMA = {
    "site": pl.String(),
    "date": pl.Date(),
    "occurred_at": pl.Datetime("us", "UTC"),
    "action": pl.String(),
    "path": pl.String(),
    "host": pl.String(),
    "visitor_id": pl.String(),
    "session_id": pl.Int64(),
    "source": pl.String(),
    "channel": pl.String(),
    "referrer_host": pl.String(),
    "utm_source": pl.String(),
    "utm_medium": pl.String(),
    "utm_campaign": pl.String(),
    "utm_content": pl.String(),
    "utm_term": pl.String(),
    "entry_page": pl.String(),
    "exit_page": pl.String(),
    "country": pl.String(),
    "device": pl.String(),
    "browser": pl.String(),
    "os": pl.String(),
    "session_pageviews": pl.Int64(),
    "session_seconds": pl.Int64(),
    "session_is_bounce": pl.Boolean(),
    "engaged_ms": pl.Int64(),
    "scroll_depth": pl.Int32(),
    "properties": pl.String(),
    "goals": pl.List(pl.String()),
}
"""The columns that answers are made of. What they mean, the table says."""


@dataclass(frozen=True)
class Hits:
    """The rows of one version of the table, and the name of that version."""

    version: str
    rows: pl.LazyFrame


def open_hits(catalogue: Catalogue) -> Hits:
    """The table as it is now; without rows where it was not built yet. Raises LakeAway."""
    try:
        table = catalogue.open_rows(_NAME)
    except TableMissing:
        return Hits("", pl.LazyFrame(schema=SCHEMA))
    return Hits(f"{table.entry.version} {table.entry.refreshed_at.isoformat()}", table.scan)
