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
from pipelines.refresh.inputs import Opened
from pipelines.refresh.landed_rows import below, happened_on, thin
from pipelines.refresh.reports import stale_partitions
from pipelines.refresh.sample import MOST, every_nth, sampled
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.duplicates import EVENT, PLACE, WINDOW
from pipelines.reports.traffic import TRAFFIC


@dataclass(frozen=True)
class Balance:
    """The landed events of some days that were taken in, and what became of them.

    landed = counted + duplicates + lost. `lost` are of no event that counts; `invented` are rows of `events` that
    were never landed. Both are 0, or something is broken. All are of every `nth` event, by its key.
    """

    landed: int
    counted: int
    duplicates: int
    lost: int
    invented: int
    nth: int = 1

    @property
    def holds(self) -> bool:
        """Whether each event counts once."""
        return self.lost == 0 and self.invented == 0


def balance(lake: Lake, days: Collection[date], time_zones: Mapping[str, str], most: int = MOST) -> Balance:
    """Compares `events` with what was landed, row by row and without the rules that built it. Raises LakeAway.

    About `most` rows of `events` are looked at, others with its next version. Days of which raw events may have expired
    are left out.
    """
    first = first_whole_day(lake)
    days = [day for day in days if day >= first]
    if not days:
        return Balance(0, 0, 0, 0, 0)
    seen = open_version(lake, EVENTS)
    nth = every_nth(sum(seen.rows(day) for day in days), most)
    looked_at = sampled(EVENT, nth, seen.number)
    all_landed = scan_raw_events(lake).filter(below(taken_in(seen)))
    on_these_days = pl.col("event_date").is_in(sorted(days))
    landed = thin(all_landed.filter(happened_on(days, time_zones), looked_at), time_zones).filter(on_these_days)
    landed_rows = landed.collect(engine="streaming")
    events = seen.scan(days).filter(looked_at).select(*EVENT, *PLACE).collect(engine="streaming")
    not_counted = landed_rows.join(events, on=PLACE, how="anti")
    unknown = not_counted.join(events, on=EVENT, how="anti")
    # Other days are read only where something is left to explain, and no further off than a duplicate may be.
    lost = 0 if unknown.is_empty() else _not_in(unknown, seen.scan().filter(_within_window(unknown)), EVENT)
    invented = _not_in(events.join(landed_rows, on=PLACE, how="anti"), all_landed, PLACE)
    return Balance(
        landed_rows.height, landed_rows.height - not_counted.height, not_counted.height - lost, lost, invented, nth
    )


def _within_window(rows: pl.DataFrame) -> pl.Expr:
    """Whether a row was received so near to these that it may be the same event on another day."""
    received = rows["received_at"]
    return pl.col("received_at").is_between(received.min() - WINDOW, received.max() + WINDOW)  # type: ignore[operator]


def _not_in(rows: pl.DataFrame, others: pl.LazyFrame, key: tuple[str, ...]) -> int:
    if rows.is_empty():
        return 0
    wanted = rows.select(key)
    found = others.select(key).join(wanted.lazy(), on=key, how="semi").unique().collect(engine="streaming")
    return wanted.join(found, on=key, how="anti").height


@dataclass(frozen=True)
class RepeatedKeys:
    """How many of the keys of some days name more than one row, by site and day; of every `nth` key."""

    by_site: Mapping[tuple[str, date], int]
    nth: int

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.by_site.values())


def repeated_keys(table: TableVersion, days: Collection[date], most: int = MOST) -> RepeatedKeys:
    """Looks at about `most` rows of these days, others with the table's next version."""
    spec = table.spec
    nth = every_nth(sum(table.rows(day) for day in days), most)
    rows = table.scan(days).filter(sampled(spec.key, nth, table.number))
    repeated = rows.group_by({*spec.key, "site", spec.partition_by}).len().filter(pl.col("len") > 1)
    by_site = repeated.group_by("site", day=spec.partition_by).len().sort("site", "day").collect(engine="streaming")
    return RepeatedKeys({(site, day): count for site, day, count in by_site.iter_rows()}, nth)


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
    opened = Opened(lake)
    traffic, events = opened.table(TRAFFIC.spec), opened.table(EVENTS)
    stale = stale_partitions(TRAFFIC, opened).all
    built = [day for day in days if day not in stale]
    counted = traffic.scan(built).select(
        (pl.col("events") + pl.col("engagements") + pl.col("bot_events")).sum(),
        (pl.col("pageviews") + pl.col("bot_pageviews")).sum(),
    )
    happened = events.scan(built).select(events=pl.len(), pageviews=(pl.col("action") == "pageview").sum())
    return TrafficBalance(*(frame.collect(engine="streaming").row(0) for frame in (counted, happened)))
