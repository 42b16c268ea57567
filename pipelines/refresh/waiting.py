"""How long landed events have been waiting to be taken in."""

from datetime import datetime

import polars as pl

from lake.events_table import taken_in
from lake.location import Lake
from lake.raw import read_landed_since
from lake.table_version import open_version
from pipelines.reports.clean_events import EVENTS


def waiting_since(lake: Lake) -> datetime | None:
    """When the first event was landed that `events` has not taken in; None where it has all. Raises LakeAway."""
    waiting = read_landed_since(lake, taken_in(open_version(lake, EVENTS))).rows
    first = waiting.select(pl.col("landed_at").min()).collect(engine="streaming").item()
    return first if isinstance(first, datetime) else None
