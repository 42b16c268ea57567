"""Which days can't be made anew, since raw events of them may have expired."""

from collections.abc import Collection
from datetime import date, timedelta

import polars as pl

from lake.location import Lake
from lake.raw_schema import EVENT
from lake.removals import EXPIRED, read_removals
from pipelines.refresh.errors import RawEventsExpired


def first_whole_day(lake: Lake) -> date:
    """The first day of which all raw events are kept. Raises LakeAway.

    An event of a day is landed on the date before it at the earliest, in UTC: a day may begin 14 hours before UTC's.
    """
    expired = read_removals(lake).filter(pl.col("reason") == EXPIRED, pl.col("kind") == EVENT)
    last = expired["landed_date"].max()
    return last + timedelta(days=2) if isinstance(last, date) else date.min


def refuse_expired(lake: Lake, days: Collection[date]) -> None:
    """Raises RawEventsExpired where one of the days can't be made anew, LakeAway."""
    first = first_whole_day(lake)
    if expired := sorted(day for day in days if day < first):
        raise RawEventsExpired(expired, first)
