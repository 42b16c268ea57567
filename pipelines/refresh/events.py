"""The table `events`: takes in what was landed since the last time, and rebuilds days from all that was landed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from typing import TypeVar

import polars as pl

from lake.errors import TableConflict
from lake.events_table import EventsTable, taken_in
from lake.location import Lake
from lake.progress import Progress
from lake.raw import LandedSince, read_landed_since, read_snapshot, scan_raw_events
from lake.table_version import TableVersion
from pipelines.refresh.events_definition import definition_of_events
from pipelines.refresh.expired import refuse_expired
from pipelines.refresh.kept_out import kept_out
from pipelines.refresh.landed_rows import below, day_of, happened_on, thin
from pipelines.reports.clean_events import EVENTS, enrich, local_date
from pipelines.reports.duplicates import EVENT, PLACE, WINDOW, Merge, first_of_each, merge_new

STEP = 1_000_000
"""About how many rows are taken in or rebuilt in one commit; a day of more is rebuilt in one."""

SLICE = 250_000
"""About how many whole rows are in memory at a time."""

_ATTEMPTS = 10

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class TakenIn:
    """What taking in did: the days it touched, how many landed events it read and by how many `events` grew."""

    days: frozenset[date] = frozenset()
    landed: int = 0
    added: int = 0

    @property
    def duplicates(self) -> int:
        """Landed events that do not count, since another one of the same site and id does."""
        return self.landed - self.added

    def __add__(self, other: "TakenIn") -> "TakenIn":
        return TakenIn(self.days | other.days, self.landed + other.landed, self.added + other.added)


def take_in(lake: Lake, time_zones: Mapping[str, str], step: int = STEP) -> TakenIn:
    """Reads all landed events above the progress of `events` and adds those that count, `step` records a commit.

    What is landed after its beginning may be left to the next time, or it would never end while a worker is quick.
    `time_zones`: IANA time zone by site. Raises TableConflict where others keep changing the same days, and LakeAway.
    """
    events = EventsTable(lake, EVENTS)
    events.declare()
    total = TakenIn()
    snapshot = read_snapshot(lake)
    goal = {} if snapshot is None else snapshot.next_offsets
    while taken := retried(partial(_take_step, lake, events, time_zones, step, goal)):
        total += taken
    return total


def waiting_days(lake: Lake, seen: TableVersion, time_zones: Mapping[str, str]) -> set[date]:
    """The days of the landed events that a version of `events` has not taken in. Raises LakeAway."""
    since = read_landed_since(lake, taken_in(seen))
    days = since.rows.select(local_date(pl.col("occurred_at"), time_zones)).unique().collect(engine="streaming")
    return set(days.to_series())


def rebuild(lake: Lake, days: Collection[date], time_zones: Mapping[str, str], step: int = STEP) -> int:
    """Makes these days anew from all landed events below the progress; answers how many rows they have now.

    With them come days that have no rows yet and get some by a site's new time zone. What was landed above the
    progress is left to `take_in`. Raises RawEventsExpired where raw events of a day may be
    gone, TableConflict and LakeAway.
    """
    refuse_expired(lake, days)
    if not days:
        return 0
    events = EventsTable(lake, EVENTS)
    events.declare()
    seen = events.read()
    landed = _landed_by_day(lake, seen, days, time_zones)
    with_others = {*days, *(day for day in landed if seen.revision(day) == 0)}
    return sum(
        retried(partial(_rebuild, lake, events, group, time_zones))
        for group in _groups({day: landed.get(day, 0) for day in sorted(with_others)}, step)
    )


def retried(change: Callable[[], Answer]) -> Answer:
    """Decides a change anew where another writer was faster."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return change()
        except TableConflict:
            continue
    return change()


def _take_step(
    lake: Lake, events: EventsTable, time_zones: Mapping[str, str], step: int, goal: Progress
) -> TakenIn | None:
    """Takes in the next `step` records; None where the goal is reached."""
    seen = events.read()
    progress = taken_in(seen)
    if not _ahead(progress, goal):
        return None
    since = read_landed_since(lake, progress)
    next_progress = _next_step(progress, since, step)
    landed = since.rows.filter(below(next_progress))
    new = thin(landed, time_zones).collect(engine="streaming")
    merge = merge_new(_same_events(seen.scan(), new), new)
    landing_days = set(new["landed_date"])
    if not merge.displaced.is_empty():
        return _take_step_over(lake, events, seen, new, merge, next_progress, time_zones)
    kept_out = new.join(merge.added, on=PLACE, how="anti")
    rows = _enriched(landed.join(kept_out.lazy(), on=PLACE, how="anti"), time_zones)
    events.append(seen, rows, next_progress, landing_days, definition_of_events(seen, time_zones))
    return TakenIn(frozenset(merge.added["event_date"]), new.height, merge.added.height)


def _enriched(landed: pl.LazyFrame, time_zones: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """Landed rows as rows of `events`, some at a time. Raises TableConflict where they are deleted meanwhile."""
    for rows in _in_slices(landed):
        # They come in as many pieces as files were read, and each step would go through them piece by piece.
        yield enrich(rows.rechunk(), time_zones)


def _in_slices(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Rows of tables, some at a time. Raises TableConflict where they are deleted meanwhile."""
    try:
        yield from rows.collect_batches(chunk_size=SLICE, lazy=True)
    except FileNotFoundError as error:
        raise TableConflict(f"Rows were deleted while they were read: {error}") from error


def _ahead(progress: Progress, landed: Progress) -> Progress:
    """What was landed further than a progress."""
    return {place: offset for place, offset in landed.items() if offset > progress.get(place, 0)}


def _next_step(progress: Progress, since: LandedSince, step: int) -> Progress:
    """A progress at most `step` records further, the stream partitions sharing it."""
    ahead = _ahead(progress, since.next_progress)
    first = since.rows.group_by("stream_id", "kafka_partition").agg(pl.col("kafka_offset").min())
    starts = {(stream_id, partition): offset for stream_id, partition, offset in first.collect().iter_rows()}
    share = max(1, step // len(ahead))
    return {place: min(offset, starts.get(place, offset) + share) for place, offset in ahead.items()}


def _same_events(events: pl.LazyFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The rows that are the same event as a new one: of the same days, or received within the window of one.

    As two scans, since one with both conditions would open every file.
    """
    bounds = pl.col("received_at")
    earliest, latest = new.select(bounds.min().alias("earliest") - WINDOW, bounds.max().alias("latest") + WINDOW).row(0)
    same_day = pl.col("event_date").is_in(new["event_date"].unique().to_list())
    near = pl.col("received_at").is_between(earliest, latest)
    perhaps = pl.concat([events.filter(same_day), events.filter(~same_day, near)])
    return _of_events(perhaps.select(new.columns), new)


def _of_events(rows: pl.LazyFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    return rows.join(wanted.lazy().select(EVENT), on=EVENT, how="semi").collect(engine="streaming")


def _take_step_over(
    lake: Lake,
    events: EventsTable,
    seen: TableVersion,
    new: pl.DataFrame,
    merge: Merge,
    next_progress: Progress,
    time_zones: Mapping[str, str],
) -> TakenIn:
    """Takes in new rows that displace rows of the table: replaces the days that change.

    A displaced row may have kept out others. Those that its successor does not keep out too were received more than
    the window after it, so only such are looked for among the landed rows.
    """
    displaced = merge.displaced.select(EVENT).unique()
    successors = merge.added.join(displaced, on=EVENT, how="semi")
    before = _of_events(seen.scan().select(new.columns), displaced)
    landed = scan_raw_events(lake).filter(below({**taken_in(seen), **next_progress}))
    long_after = pl.col("received_at") > successors["received_at"].min() + WINDOW  # type: ignore[operator]
    later = _of_events(thin(landed.filter(long_after), time_zones), displaced)
    after = first_of_each(pl.concat([before, new.join(displaced, on=EVENT, how="semi"), later]).unique(PLACE))
    leave = before.join(after, on=PLACE, how="anti")
    come = pl.concat([after.join(before, on=PLACE, how="anti"), merge.added.join(displaced, on=EVENT, how="anti")])
    days = {*leave["event_date"], *come["event_date"]}
    stay = seen.scan(days).join(leave.lazy(), on=PLACE, how="anti")
    coming = landed.filter(happened_on(days, time_zones)).join(come.lazy(), on=PLACE, how="semi")
    rows = chain(_in_slices(stay), _enriched(coming, time_zones))
    landing_days = {*_landing_days(seen, days), *new["landed_date"], *come["landed_date"]}
    events.replace_days(seen, days, rows, next_progress, landed_on=landing_days)
    return TakenIn(frozenset(days), new.height, come.height - leave.height)


def _landing_days(seen: TableVersion, days: Collection[date]) -> set[date]:
    return set(seen.scan(days).select("landed_date").unique().collect(engine="streaming")["landed_date"])


def _landed_by_day(
    lake: Lake, seen: TableVersion, days: Collection[date], time_zones: Mapping[str, str]
) -> dict[date, int]:
    landed = thin(scan_raw_events(lake).filter(below(taken_in(seen)), happened_on(days, time_zones)), time_zones)
    counted = landed.group_by("event_date").len().collect(engine="streaming")
    return dict(counted.iter_rows())


def _groups(landed: Mapping[date, int], step: int) -> Iterator[list[date]]:
    """Neighbouring days whose landed rows together are at most `step`, or a single day."""
    group: list[date] = []
    size = 0
    for day, count in landed.items():
        if group and size + count > step:
            yield group
            group, size = [], 0
        group.append(day)
        size += count
    yield group


def _rebuild(lake: Lake, events: EventsTable, days: Collection[date], time_zones: Mapping[str, str]) -> int:
    seen = events.read()
    landed = scan_raw_events(lake).filter(below(taken_in(seen)))
    of_days = landed.filter(happened_on(days, time_zones), day_of(time_zones).is_in(sorted(days)))
    counting = of_days.join(kept_out(landed, days, time_zones).lazy(), on=PLACE, how="anti")
    landing_days = counting.select("landed_date").unique().collect(engine="streaming")["landed_date"]
    return events.replace_days(
        seen,
        days,
        _enriched(counting, time_zones),
        landed_on={*_landing_days(seen, days), *landing_days},
        definition=definition_of_events(seen, time_zones),
    )
