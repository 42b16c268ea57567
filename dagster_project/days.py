"""Days as partitions: there are only those that hold events, in the order in which they turned up."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import dagster as dg

DAYS = dg.DynamicPartitionsDefinition(name="day")

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
"""The tags by which Dagster says which partitions a run is of."""

_LATEST = 31


def days_of(partition_keys: Iterable[str]) -> list[date]:
    """Partition keys as dates."""
    return [date.fromisoformat(key) for key in partition_keys]


def days_of_run(tags: Mapping[str, str], known: Sequence[str]) -> list[date]:
    """The days that a run is of, by its tags; the latest month of known days where it is of none in particular."""
    if PARTITION in tags:
        return days_of([tags[PARTITION]])
    if RANGE_START in tags:
        return days_of(known[known.index(tags[RANGE_START]) : known.index(tags[RANGE_END]) + 1])
    return days_of(sorted(known)[-_LATEST:])


def ranges(wanted: Iterable[date], known: Sequence[str]) -> list[tuple[str, str]]:
    """The fewest ranges of neighbouring known partitions that hold exactly the wanted days, as (first, last)."""
    places = sorted(known.index(day.isoformat()) for day in wanted)
    found: list[list[int]] = []
    for place in places:
        if found and found[-1][1] == place - 1:
            found[-1][1] = place
        else:
            found.append([place, place])
    return [(known[first], known[last]) for first, last in found]


def newest_of(sizes: Mapping[date, int], most: int) -> list[date]:
    """The newest days, as many as have `most` rows together, and at least one."""
    taken: list[date] = []
    total = 0
    for day in sorted(sizes, reverse=True):
        total += sizes[day]
        if taken and total > most:
            break
        taken.append(day)
    return taken


def tags_of(first: str, last: str) -> dict[str, str]:
    """The tags of a run that is of a range of partitions."""
    return {RANGE_START: first, RANGE_END: last}
