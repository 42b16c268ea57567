"""All values that the time dimension of a query could have, also those without any event."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from query_api.stats.answer import time_text, time_unit
from query_api.stats.date_ranges import Range
from query_api.stats.document import StatsQuery, fault
from query_api.stats.vocabulary import TIME_DIMENSIONS

_STEP = timedelta(minutes=15)
"""Clocks of the world differ by whole quarters of an hour."""


def time_labels(query: StatsQuery, asked: Range, time_zone: str, now: datetime, most: int) -> list[str]:
    """The labels of the query's first time dimension from the range's beginning up to now, in order.

    Raises ApiError (400) where there are more than `most`.
    """
    name = next(name for name in query.dimensions if name in TIME_DIMENSIONS)
    unit = time_unit(name, asked)
    zone = ZoneInfo(time_zone)
    last = min(asked.last, now.astimezone(zone).date())
    if asked.first > last:
        return []
    per_day = 24 if unit == "hour" else 1
    if ((last - asked.first).days + 1) * per_day > most:
        raise fault("include.time_labels", f"more than {most:,}; ask for fewer days")
    if unit != "hour":
        days = pl.select(date=pl.date_range(asked.first, last))
        return _distinct(days.select(time_text(unit, time_zone)))
    begin = asked.begin or datetime.combine(asked.first, time(), zone)
    end = min(asked.end or datetime.combine(last, time(23, 59), zone), now)
    instants = pl.datetime_range(_hour(begin, zone), end.astimezone(UTC), _STEP, time_unit="us", closed="left")
    return _distinct(pl.select(occurred_at=instants).select(time_text(unit, time_zone)))


def _hour(instant: datetime, zone: ZoneInfo) -> datetime:
    """The beginning of the hour that the clock shows."""
    return instant.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def _distinct(labels: pl.DataFrame) -> list[str]:
    return labels.to_series().unique(maintain_order=True).to_list()
