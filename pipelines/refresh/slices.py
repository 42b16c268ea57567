"""A large day of a report that is by visitor is built some visitors at a time: so memory does not grow with the day."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipelines.refresh.input import Input
from pipelines.reports.report import Report

SLICE = 1_250_000
"""About how many rows of the largest input are in memory at a time."""


@dataclass(frozen=True)
class Slice:
    """One of `count` parts of the visitors, and of the events without visitor; each row is in exactly one."""

    number: int
    count: int

    def of(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Those rows that are in it, and all where rows are of no visitors."""
        if self.count == 1:
            return rows
        who = [name for name in ("visitor_id", "event_id") if name in rows.collect_schema()]
        return rows.filter(pl.coalesce(who).hash() % self.count == self.number) if "visitor_id" in who else rows


def slices(report: Report, inputs: Sequence[Input], days: Collection[date]) -> Iterator[Slice]:
    """The parts that a report of these days of its inputs is built in; most often one."""
    rows = max(sum(source.rows(day) for day in days) for source in inputs)
    count = max(1, -(-rows // SLICE)) if report.by_visitor else 1
    return (Slice(number, count) for number in range(count))


def build_slice(report: Report, inputs: Sequence[Input], partitions: Sequence[date], part: Slice) -> pl.DataFrame:
    """The rows of some partitions that are of a part of the visitors.

    In the order of the key; those of a report that is by visitor in its own, since so many take long to sort.
    """
    days = days_of(report, partitions)
    built = report.build(*(part.of(source.scan(days)) for source in inputs))
    rows = built.filter(pl.col(report.spec.partition_by).is_in(partitions)).collect(engine="streaming")
    return rows if report.by_visitor else rows.sort(report.spec.key)


def days_of(report: Report, partitions: Sequence[date]) -> list[date]:
    """The days that partitions are built from, in order."""
    return sorted({day for partition in partitions for day in report.window.days(partition)})
