"""Which days of its inputs a partition of a table is built from."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Unit = Literal["day", "week", "month"]


@dataclass(frozen=True)
class Window:
    """A table whose partitions are days, weeks or months, each named by its first day: Monday, or the 1st.

    A partition is built from the days of its unit, and from so many days before and after it. Days are those of the
    site on which events happened; with `of_landing` those on which they were landed, in UTC.
    """

    unit: Unit = "day"
    days_before: int = 0
    days_after: int = 0
    of_landing: bool = False

    def start(self, day: date) -> date:
        """The first day of the unit that a day is in: the partition it belongs to."""
        if self.unit == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.unit == "month" else day

    def days(self, partition: date) -> list[date]:
        """The days that a partition is built from, in order."""
        first = partition - timedelta(days=self.days_before)
        count = (self._next(partition) - first).days + self.days_after
        return [first + timedelta(days=number) for number in range(count)]

    def partitions(self, day: date) -> list[date]:
        """The partitions that a day has a part in, in order."""
        partition = self.start(day - timedelta(days=self.days_after))
        last = day + timedelta(days=self.days_before)
        found = []
        while partition <= last:
            found.append(partition)
            partition = self._next(partition)
        return found

    def _next(self, partition: date) -> date:
        if self.unit == "month":
            return (partition + timedelta(days=31)).replace(day=1)
        return partition + timedelta(days=7 if self.unit == "week" else 1)


DAY = Window()
"""A table by day, built from the same day of its inputs."""
