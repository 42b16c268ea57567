"""A table that is built day by day from other tables."""

from collections.abc import Iterator, Mapping
from datetime import date

from lake.day_commit import commit_days
from lake.day_files import Rows, written
from lake.location import Lake
from lake.table_metadata import declare
from lake.table_spec import TableSpec
from lake.table_version import DEFINITION, INPUTS, Origin, TableVersion, open_version, record_id, revision_id


class ReportTable:
    """Replaces whole days, in one commit that says what they were built from."""

    def __init__(self, lake: Lake, spec: TableSpec) -> None:
        self._lake = lake
        self._spec = spec

    def declare(self) -> None:
        """Creates the table, or brings its columns and metadata up to the definition. Call it before a change."""
        declare(self._lake, self._spec)

    def read(self) -> TableVersion:
        """The table as it is now. Raises LakeAway."""
        return open_version(self._lake, self._spec)

    def replace(self, seen: TableVersion, origins: Mapping[date, Origin], rows: Rows) -> None:
        """Makes `rows` the only rows of the days of `origins`; a day without rows is emptied.

        `seen` was opened before the inputs: what is built from older ones does not replace what others have built
        since. Raises TableConflict then, and LakeAway, and has changed nothing.
        """
        files = written(self._lake, self._spec, rows)
        commit_days(self._lake, seen, files, origins.keys(), dict(_numbers(seen, origins)))


def _numbers(seen: TableVersion, origins: Mapping[date, Origin]) -> Iterator[tuple[str, int]]:
    name = seen.spec.name
    for day, origin in origins.items():
        yield revision_id(name, day), seen.revision(day) + 1
        yield record_id(name, day, INPUTS), origin.inputs
        yield record_id(name, day, DEFINITION), origin.definition
