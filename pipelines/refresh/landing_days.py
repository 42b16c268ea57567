"""What was landed on each day, in UTC, and what became of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.events_table import LANDED as LANDED_REVISION
from lake.events_table import taken_in
from lake.location import Lake
from lake.raw import landed_by_day, open_landed, scan_landed
from lake.raw_schema import DEAD_LETTER, EVENT
from lake.removals import EXPIRED, read_removals
from lake.table_version import TableVersion
from pipelines.refresh.input import Input
from pipelines.refresh.landed_rows import below
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import DEAD_LETTERS, RAW_EVENTS


@dataclass(frozen=True)
class LandingDays:
    """Rows by day of landing; `counts` are about how many each day has."""

    frame: pl.LazyFrame
    revisions: Mapping[date, int]
    counts: Mapping[date, int]

    def scan(self, days: Collection[date]) -> pl.LazyFrame:
        return self.frame.filter(pl.col("landed_date").is_in(sorted(days)))

    def rows(self, day: date) -> int:
        return self.counts.get(day, 0)


def inputs_of_landing(lake: Lake, events: TableVersion) -> Mapping[str, Input]:
    """Raw events up to the progress of a version of `events`, all dead letters, and that version. Raises LakeAway.

    Costs the log of what was landed. Days of which anything may have expired have no revision: what was made of them
    is left as it is.
    """
    landed = open_landed(lake)
    counts = landed_by_day(landed)
    expired = read_removals(lake).filter(pl.col("reason") == EXPIRED)["landed_date"].max()
    last_expired = expired if isinstance(expired, date) else date.min

    def kept(numbers: Mapping[date, int]) -> Mapping[date, int]:
        return {day: number for day, number in numbers.items() if day > last_expired}

    raw, dead = counts.get(EVENT, {}), counts.get(DEAD_LETTER, {})
    rows = scan_landed(landed)
    raw_rows = rows.filter(pl.col("kind") == EVENT, below(taken_in(events)))
    return {
        RAW_EVENTS: LandingDays(raw_rows, kept(raw), raw),
        DEAD_LETTERS: LandingDays(rows.filter(pl.col("kind") == DEAD_LETTER), kept(dead), dead),
        EVENTS.name: LandingDays(events.scan(), kept(events.recorded(LANDED_REVISION)), raw),
    }
