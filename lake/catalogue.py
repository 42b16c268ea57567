"""Which reports there are, as the Delta tables themselves say: for readers that know no definition of a report."""

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileType, PyFileSystem

from lake.errors import LakeAway, TableMissing
from lake.location import Lake
from lake.opening import open_table
from lake.schema_version import known
from lake.table_metadata import ADDITIVE, COLUMNS, COMMENT, KEY, KIND, NO_REPORT, REPORT, UNIT

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class CatalogueColumn:
    """A column of a report. `dtype` is the name of its Polars type, such as String, Date or Int64.

    `additive` says whether values of several rows may be added up: page views may, visitors may not.
    """

    name: str
    dtype: str
    meaning: str
    unit: str
    additive: bool


@dataclass(frozen=True)
class CatalogueEntry:
    """A report, or another table, as one version of it says.

    `key` names a row; `refreshed_at` (UTC) is that version's.
    """

    name: str
    description: str
    key: Sequence[str]
    columns: Sequence[CatalogueColumn]
    version: int
    refreshed_at: datetime


@dataclass(frozen=True)
class OpenTable:
    """The rows of one version of a table, whatever is written meanwhile."""

    entry: CatalogueEntry
    scan: pl.LazyFrame


class Catalogue:
    """The reports of a lake. Holds what it has read of them, so that asking often is cheap; threads may share it.

    What was looked at less than `holds` seconds ago is not looked at again: an answer is at most so much older.
    """

    def __init__(self, lake: Lake, holds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._holds = holds
        self._clock = clock
        self._looked_at: dict[tuple[str, str], float] = {}
        self._known: dict[tuple[str, str], _Known] = {}
        self._no_reports: set[str] = set()

    def entries(self) -> list[CatalogueEntry]:
        """All reports by name, as they are now. Raises LakeAway."""
        looked_at = [self._look(name) for name in sorted(self._names())]
        return [known.entry for known in looked_at if known is not None]

    def open(self, name: str) -> OpenTable:
        """A report as it is now. Raises TableMissing where there is no report of this name, and LakeAway."""
        return _opened(name, self._look(name) if _NAME.fullmatch(name) else None)

    def open_rows(self, name: str) -> OpenTable:
        """A table of single rows, such as `hits`, as it is now: not for a name that a request says.

        Raises TableMissing where there is none, and LakeAway.
        """
        return _opened(name, self._look(name, NO_REPORT))

    def _look(self, name: str, kind: str = REPORT) -> "_Known | None":
        """The table of a name and kind as it is now; None where there is none."""
        if kind == REPORT and name in self._no_reports:
            return None
        uri = self._lake.table_uri(name)
        now = self._clock()
        try:
            known = self._known.get((kind, name))
            if known is not None and now - self._looked_at.get((kind, name), -math.inf) < self._holds:
                return known
            if known is None or not known.is_latest():
                known = self._open(name, kind)
            self._looked_at[kind, name] = now
        except TableNotFoundError:
            self._known.pop((kind, name), None)
            return None
        except (DeltaError, OSError) as error:
            self._known.pop((kind, name), None)
            raise LakeAway(f"{uri} could not be read: {error}") from error
        return known

    def _open(self, name: str, kind: str) -> "_Known | None":
        probe = open_table(self._lake, name, without_files=True)
        if probe.metadata().configuration.get(KIND) != kind:
            # No report is not looked at again: `landed` has a new version every second, and thousands of files.
            if kind == REPORT:
                self._no_reports.add(name)
            return None
        table = known(name, open_table(self._lake, name))
        self._known[kind, name] = _Known(table, probe, _entry(table))
        return self._known[kind, name]

    def _names(self) -> list[str]:
        try:
            lake = PyFileSystem(DeltaStorageHandler(self._lake.uri, dict(self._lake.storage_options)))
            found = lake.get_file_info(FileSelector("", recursive=False))
        except TableNotFoundError:
            return []
        except (DeltaError, OSError) as error:
            raise LakeAway(f"{self._lake.uri} could not be read: {error}") from error
        return [folder.path for folder in found if folder.type == FileType.Directory and _NAME.fullmatch(folder.path)]


@dataclass(frozen=True)
class _Known:
    """One version of a table. `table` never moves, since scans follow it; `probe` does, and holds no files."""

    table: DeltaTable
    probe: DeltaTable
    entry: CatalogueEntry

    def is_latest(self) -> bool:
        try:
            self.probe.update_incremental()
        except DeltaError:
            # Nobody has asked for so long that the log no longer reaches back to it, or the listing missed a commit;
            # opening tells what is wrong else.
            return False
        return self.probe.version() == self.table.version()


def _opened(name: str, known: _Known | None) -> OpenTable:
    if known is None:
        raise TableMissing(f"There is no table {name!r}.")
    columns = [column.name for column in known.entry.columns]
    return OpenTable(known.entry, pl.scan_delta(known.table).select(columns))


def _entry(table: DeltaTable) -> CatalogueEntry:
    """What the table says of itself."""
    metadata = table.metadata()
    dtypes = pl.DataFrame(pa.schema(table.schema()).empty_table()).schema
    said = {field.name: field.metadata for field in table.schema().fields}
    columns = [
        CatalogueColumn(
            name,
            str(dtypes[name]),
            said[name].get(COMMENT, ""),
            said[name].get(UNIT, ""),
            said[name].get(ADDITIVE) == "true",
        )
        for name in metadata.configuration[COLUMNS].split(",")
    ]
    return CatalogueEntry(
        metadata.name or "",
        metadata.description or "",
        metadata.configuration[KEY].split(","),
        columns,
        table.version(),
        _written_at(table),
    )


def _written_at(table: DeltaTable) -> datetime:
    """When the youngest file was written; upkeep of the log also makes versions, and refreshes nothing."""
    written = pc.max(pa.table(table.get_add_actions())["modification_time"]).as_py()
    return datetime.fromtimestamp((written or table.metadata().created_time) / 1000, UTC)
