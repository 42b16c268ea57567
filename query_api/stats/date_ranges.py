"""The date range of a stats query: what a document may say, and the instants it comes to."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = {"day": 1, "7d": 7, "28d": 28, "30d": 30, "91d": 91}
_MONTHS = {"month": 1, "6mo": 6, "12mo": 12}
NAMED = (*_DAYS, "24h", *_MONTHS, "year", "all")


@dataclass(frozen=True)
class Days:
    """From one day to another, both inclusive, in the site's time zone."""

    first: date
    last: date


@dataclass(frozen=True)
class Instants:
    """From one instant to another, which is exclusive."""

    begin: datetime
    end: datetime


Period = str | Days | Instants
"""What a document asks for: one of NAMED, days or instants."""


@dataclass(frozen=True)
class Range:
    """Days from `first` to `last`, both inclusive, in the site's time zone.

    `begin` and `end` (exclusive) narrow it to instants where the document asks for such.
    """

    first: date
    last: date
    begin: datetime | None = None
    end: datetime | None = None

    @property
    def days(self) -> int:
        """How many days it touches."""
        return (self.last - self.first).days + 1


def resolve(period: Period, now: datetime, time_zone: str, first_day: date | None) -> Range:
    """The days of a period at this instant. `first_day`: the first with data, for `all`."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    if isinstance(period, Days):
        return Range(period.first, period.last)
    if period == "24h":
        period = Instants(now - timedelta(hours=24), now)
    if isinstance(period, Instants):
        first, last = (instant.astimezone(zone).date() for instant in (period.begin, period.end))
        return Range(first, last, period.begin, period.end)
    if period == "year":
        return Range(today.replace(month=1, day=1), today)
    if period == "all":
        return Range(min(first_day or today, today), today)
    if period in _MONTHS:
        return Range(_months_before(today, _MONTHS[period] - 1), today)
    return Range(today - timedelta(days=_DAYS[period] - 1), today)


def _months_before(day: date, months: int) -> date:
    """The first of the month so many months before."""
    month = day.year * 12 + day.month - 1 - months
    return date(month // 12, month % 12 + 1, 1)
