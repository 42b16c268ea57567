"""One version of a table of days: its rows, how often each of its days was written, and what from."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.errors import LakeAway
from lake.location import Lake
from lake.opening import open_table
from lake.schema_version import known
from lake.table_spec import TableSpec
from lake.transactions import read_transactions

INPUTS = "inputs"
DEFINITION = "definition"


@dataclass(frozen=True)
class Origin:
    """What rows were built from: a number for the state of their inputs, and one for the definition that was used.

    Another number says that they would be other rows today. Neither is negative, nor more than 63 bits.
    """

    inputs: int
    definition: int


@dataclass(frozen=True)
class TableVersion:
    """A table as it was when it was opened, whatever is written meanwhile.

    A day's revision counts the commits that touched the day, so whoever reads the day sees that it was written again.
    """

    spec: TableSpec
    handle: DeltaTable | None
    transactions: Mapping[str, int]

    @property
    def number(self) -> int:
        """Delta's version; -1 where the table has not been created."""
        return -1 if self.handle is None else self.handle.version()

    @cached_property
    def _added(self) -> Mapping[date, Mapping[str, int]]:
        """By day its files, each with its number of rows."""
        if self.handle is None:
            return {}
        added = pa.table(self.handle.get_add_actions(flatten=True))
        names = (f"partition.{self.spec.partition_by}", "path", "num_records")
        files: dict[date, dict[str, int]] = defaultdict(dict)
        for day, path, rows in zip(*(added[name].to_pylist() for name in names), strict=True):
            files[day][path] = rows
        return files

    def files(self, day: date) -> frozenset[str]:
        """The files that hold a day's rows, and no others: new rows are in new files."""
        return frozenset(self._added.get(day, ()))

    def rows(self, day: date) -> int:
        """How many rows a day has."""
        return sum(self._added.get(day, {}).values())

    @property
    def days(self) -> frozenset[date]:
        """The days that have rows."""
        return frozenset(self._added)

    @cached_property
    def _recorded(self) -> Mapping[str, Mapping[date, int]]:
        """What was recorded of days, by what it is and day; the revision has no name."""
        found: dict[str, dict[date, int]] = defaultdict(dict)
        for app_id, number in self.transactions.items():
            table, _, rest = app_id.partition("/")
            if table == self.spec.name:
                day, _, what = rest.partition("/")
                found[what][date.fromisoformat(day)] = number
        return found

    def recorded(self, what: str) -> Mapping[date, int]:
        """The last number recorded of each day under a name, such as INPUTS or DEFINITION."""
        return self._recorded.get(what, {})

    @property
    def revisions(self) -> Mapping[date, int]:
        """The revision of each day that was ever written, whether or not it has rows now."""
        return self.recorded("")

    def revision(self, day: date) -> int:
        """The revision of a day; 0 for one that was never written."""
        return self.revisions.get(day, 0)

    def scan(self, days: Collection[date] | None = None) -> pl.LazyFrame:
        """The rows of some days, or all, with the columns of the definition; null where an older table lacks one."""
        if self.handle is None:
            return pl.LazyFrame(schema=self.spec.schema)
        rows = pl.scan_delta(self.handle)
        if days is not None:
            rows = rows.filter(pl.col(self.spec.partition_by).is_in(sorted(days)))
        present = {field.name for field in self.handle.schema().fields}
        return rows.select(
            name if name in present else pl.lit(None, dtype).alias(name) for name, dtype in self.spec.schema.items()
        )


def revision_id(table: str, day: date) -> str:
    """The app_id of the transaction that holds a day's revision."""
    return f"{table}/{day.isoformat()}"


def record_id(table: str, day: date, what: str) -> str:
    """The app_id of the transaction that holds another number of a day: INPUTS or DEFINITION."""
    return f"{table}/{day.isoformat()}/{what}"


def open_version(lake: Lake, spec: TableSpec) -> TableVersion:
    """The table as it is now; without rows where it has not been created. Raises LakeAway, TableNewer."""
    uri = lake.table_uri(spec.name)
    try:
        while True:
            handle = known(spec.name, open_table(lake, spec.name))
            transactions = read_transactions(lake, spec.name, handle.version())
            if transactions is not None:
                return TableVersion(spec, handle, transactions)
    except TableNotFoundError:
        return TableVersion(spec, None, {})
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{uri} could not be read: {error}") from error
