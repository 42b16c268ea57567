"""The table `events`: rows, the progress they were read up to, and the revisions of their days, in one commit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from lake.day_commit import commit_days
from lake.day_files import Rows, written
from lake.location import Lake
from lake.progress import Progress, app_id, progress_of
from lake.table_metadata import declare
from lake.table_spec import TableSpec
from lake.table_version import DEFINITION, TableVersion, open_version, record_id, revision_id

TAKEN_IN = "taken_in"
"""Who commits the progress of `events`: the offsets of `landed` up to which its rows were read."""

LANDED = "landed"
"""The number of a day of landing: it changes with the events of that day that count, and with how many there are."""


@dataclass(frozen=True)
class Definition:
    """How rows are made: a number of 63 bits, and transactions by which the next writer knows what it is for."""

    number: int
    transactions: Mapping[str, int]


def taken_in(events: TableVersion) -> Progress:
    """How far a version of `events` has read what was landed."""
    return progress_of(TAKEN_IN, events.transactions)


class EventsTable:
    """Changes `events`. Each change is made to the version it was decided on: it comes whole, or not at all.

    A commit that touches a day carries the day's next revision, and one that takes in landed rows their offsets, so
    that of two commits decided on the same version and for the same day or stream partition, one fails.
    """

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self._lake = lake
        self._spec = spec

    def declare(self) -> None:
        """Creates the table, or brings its columns and metadata up to the definition. Call it before a change."""
        declare(self._lake, self._spec)

    def read(self) -> TableVersion:
        """The table as it is now. Raises LakeAway."""
        return open_version(self._lake, self._spec)

    def append(
        self,
        seen: TableVersion,
        rows: Rows,
        next_progress: Progress,
        landed_on: Collection[date] = (),
        definition: Definition | None = None,
    ) -> None:
        """Adds rows. Raises TableConflict and LakeAway, and has then changed nothing.

        A day that has older rows keeps their definition. `landed_on`: the days of landing of what was taken in.
        """
        files = written(self._lake, self._spec, rows)
        defined = [day for day in files.days if seen.revision(day) == 0]
        numbers = _numbers(seen, files.days, next_progress, landed_on, defined, definition)
        commit_days(self._lake, seen, files, None, numbers)

    def replace_days(
        self,
        seen: TableVersion,
        days: Collection[date],
        rows: Rows,
        next_progress: Progress | None = None,
        *,
        landed_on: Collection[date] = (),
        definition: Definition | None = None,
    ) -> int:
        """Makes `rows`, which are of these days, their only rows, and answers how many they are.

        The progress stays unless a new one is given. `landed_on`: the days of landing of all rows that were there, come
        or were taken in. `definition`: where all rows are made by it. Raises TableConflict and LakeAway, and has then
        changed nothing.
        """
        files = written(self._lake, self._spec, rows)
        numbers = _numbers(seen, days, next_progress or {}, landed_on, days, definition)
        commit_days(self._lake, seen, files, days, numbers)
        return files.rows


def _numbers(
    seen: TableVersion,
    days: Collection[date],
    next_progress: Progress,
    landed_on: Collection[date],
    defined: Collection[date],
    definition: Definition | None,
) -> dict[str, int]:
    """The transactions of a commit that touches these days."""
    name, before, landed = seen.spec.name, taken_in(seen), seen.recorded(LANDED)
    moved = {place: offset for place, offset in next_progress.items() if before.get(place) != offset}
    numbers = {
        **{revision_id(name, day): seen.revision(day) + 1 for day in days},
        **{record_id(name, day, LANDED): landed.get(day, 0) + 1 for day in landed_on},
        **{app_id(TAKEN_IN, *place): offset for place, offset in moved.items()},
    }
    if definition is not None:
        numbers |= {
            **{record_id(name, day, DEFINITION): definition.number for day in defined},
            **definition.transactions,
        }
    return numbers
