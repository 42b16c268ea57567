"""Records that can't be landed any more: found when the worker starts, and gone past only where a person accepts it."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from event_stream.ports import NextOffsets, OnAssign, StreamPartition
from lake.location import Lake
from lake.progress import Progress
from lake.raw import read_snapshot
from lake.raw_schema import LANDED
from lake.removals import GAP_ACCEPTED, gap, read_removals, record
from pipelines.landing.errors import GapFound
from pipelines.landing.ports import LandingTable

_log = logging.getLogger(__name__)

Offsets = Mapping[StreamPartition, tuple[int, int]]
"""What the broker holds of each stream partition: its first offset and the one that the next record will have."""


@dataclass(frozen=True)
class Gap:
    """Offsets of a stream partition whose records were never landed and never will be.

    `next_offset` is None where nobody knows the end, since the topic is gone. Where the broker has fewer records than
    were landed, it gives the offsets of landed records to new ones: `reused` says so, and those can't be landed.
    """

    place: tuple[str, int]
    topic: str
    first_offset: int
    next_offset: int | None
    reused: bool = False

    def __str__(self) -> str:
        where = f"{self.topic}[{self.place[1]}]"
        if self.next_offset is None:
            return (
                f"Stream {self.place[0]}[{self.place[1]}] is gone from the broker, and with it what it held from "
                f"offset {self.first_offset} on, if anything."
            )
        if self.reused:
            return (
                f"The next record to land, {where} offset {self.next_offset}, is not in the broker: it holds only what "
                f"is before offset {self.first_offset}, though more was landed. It gives new records the offsets "
                f"{self.first_offset} to {self.next_offset - 1} again, and those can't be landed."
            )
        return (
            f"The next record to land, {where} offset {self.first_offset}, is not in the broker: the next that it "
            f"holds is {self.next_offset}. {self.next_offset - self.first_offset:,} records expired, or were taken "
            "out of the log, before they were landed."
        )


def find_gaps(landed: Progress, held: Offsets) -> list[Gap]:
    """Where the broker can't go on from what was landed. No I/O.

    `landed` is to be read before `held`. A stream that the broker does not hold is a gap if it is of the same cluster.
    """
    gaps = []
    for place, (first, following) in held.items():
        key = (place.stream_id, place.partition)
        offset = landed.get(key)
        if offset is not None and offset < first:
            gaps.append(Gap(key, place.topic, offset, first))
        elif offset is not None and offset > following:
            gaps.append(Gap(key, place.topic, following, offset, reused=True))
    streams = {place.stream_id for place in held}
    clusters = {_cluster(stream) for stream in streams}
    for (stream, partition), offset in sorted(landed.items()):
        if _cluster(stream) in clusters and stream not in streams:
            gaps.append(Gap((stream, partition), "", offset, None))
    return gaps


def new_gaps(lake: Lake, held: Offsets, landed: Progress) -> list[Gap]:
    """The gaps of which the table `removals` does not know. Raises LakeAway."""
    found = find_gaps(landed, held)
    if not any(each.next_offset is None for each in found):
        return found
    removals = read_removals(lake)
    ended = removals.filter(removals["reason"] == GAP_ACCEPTED, removals["next_offset"].is_null())
    known = set(ended.select("stream_id", "kafka_partition").iter_rows())
    return [each for each in found if each.next_offset is not None or each.place not in known]


def landed_offsets(lake: Lake) -> Progress:
    """How far every stream partition is landed. Raises LakeAway."""
    snapshot = read_snapshot(lake)
    return {} if snapshot is None else snapshot.next_offsets


def refuse(gaps: Iterable[Gap]) -> None:
    """Raises GapFound where there are any."""
    if refused := [str(each) for each in gaps]:
        raise GapFound(refused)


def accept(lake: Lake, table: LandingTable, gaps: Sequence[Gap], now: datetime) -> None:
    """Records gaps in `removals`, then moves the table's progress past them. Raises LakeError.

    Repeating it is safe: overlapping removals count once.
    """
    for each in gaps:
        record(lake, gap(each.place, each.first_offset, each.next_offset, now))
        _log.warning("%s Accepted, and recorded in the table removals.", each)
        if each.next_offset is not None and not each.reused:
            table.landed([each.place])
            nothing = LANDED.empty_table()
            table.append(nothing, nothing, {each.place: each.first_offset}, {each.place: each.next_offset})


def reading_past(gaps: Iterable[Gap], on_assign: OnAssign) -> OnAssign:
    """Lets reading begin at the offsets that the broker gives out again: the worker drops what it takes for landed."""
    begins = {each.place: each.first_offset for each in gaps if each.reused}

    def assign(places: Sequence[StreamPartition]) -> NextOffsets:
        return {
            place: min(offset, begins.get((place.stream_id, place.partition), offset))
            for place, offset in on_assign(places).items()
        }

    return assign


def _cluster(stream_id: str) -> str:
    # A topic id may hold a slash itself, a cluster id can't.
    return stream_id.partition("/")[0]
