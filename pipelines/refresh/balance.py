"""Whether tables add up: each landed event is counted once, and reports hold as many as `events`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.events_table import taken_in
from lake.location import Lake
from lake.raw import scan_raw_events
from lake.table_version import TableVersion, open_version
from pipelines.refresh.expired import first_whole_day
from pipelines.refresh.landed_rows import below, landed_on, thin
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.duplicates import EVENT, PLACE
from pipelines.reports.traffic import TRAFFIC


@dataclass(frozen=True)
class Balance:
    """The landed events of some days that were taken in, and what became of them.

    landed = counted + duplicates + lost. `lost` are of no event that counts; `invented` are rows of `events` that
    were never landed. Both are 0, or something is broken.
    """

    landed: int
    counted: int
    duplicates: int
    lost: int
    invented: int

    @property
    def holds(self) -> bool:
        """Whether each event counts once."""
        return self.lost == 0 and self.invented == 0


def balance(lake: Lake, days: Collection[date], time_zones: Mapping[str, str]) -> Balance:
    """Compares `events` with what was landed, row by row and without the rules that built it. Raises LakeAway.

    Days of which raw events may have expired are left out.
    """
    first = first_whole_day(lake)
    days = [day for day in days if day >= first]
    if not days:
        return Balance(0, 0, 0, 0, 0)
    seen = open_version(lake, EVENTS)
    all_landed = scan_raw_events(lake).filter(below(taken_in(seen)))
    on_these_days = pl.col("event_date").is_in(sorted(days))
    landed = thin(all_landed.filter(landed_on(days)), time_zones).filter(on_these_days).collect(engine="streaming")
    events = seen.scan(days).select(*EVENT, *PLACE).collect(engine="streaming")
    not_counted = landed.join(events, on=PLACE, how="anti")
    # Other days are read only where something is left to explain.
    lost = _not_in(not_counted.join(events, on=EVENT, how="anti"), seen.scan(), EVENT)
    invented = _not_in(events.join(landed, on=PLACE, how="anti"), all_landed, PLACE)
    return Balance(landed.height, landed.height - not_counted.height, not_counted.height - lost, lost, invented)


def _not_in(rows: pl.DataFrame, others: pl.LazyFrame, key: tuple[str, ...]) -> int:
    if rows.is_empty():
        return 0
    wanted = rows.select(key)
    found = others.select(key).join(wanted.lazy(), on=key, how="semi").unique().collect(engine="streaming")
    return wanted.join(found, on=key, how="anti").height


def repeated_keys(table: TableVersion, days: Collection[date]) -> int:
    """How many keys of these days name more than one row."""
    counted = table.scan(days).group_by(table.spec.key).len().filter(pl.col("len") > 1)
    return int(counted.select(pl.len()).collect(engine="streaming").item())


@dataclass(frozen=True)
class TrafficBalance:
    """Events and page views of some days, as `traffic` and as `events` have them."""

    in_traffic: tuple[int, int]
    in_events: tuple[int, int]

    @property
    def holds(self) -> bool:
        """Whether every event is counted in `traffic`."""
        return self.in_traffic == self.in_events


def traffic_balance(lake: Lake, days: Collection[date]) -> TrafficBalance:
    """Compares the days of `traffic` that are not stale with `events`. Raises LakeAway."""
    traffic, events = open_version(lake, TRAFFIC.spec), open_version(lake, EVENTS)
    built = [day for day in days if traffic.revision(day) == events.revision(day)]
    counted = traffic.scan(built).select(
        (pl.col("events") + pl.col("bot_events")).sum(), (pl.col("pageviews") + pl.col("bot_pageviews")).sum()
    )
    happened = events.scan(built).select(events=pl.len(), pageviews=(pl.col("action") == "pageview").sum())
    return TrafficBalance(*(frame.collect(engine="streaming").row(0) for frame in (counted, happened)))
