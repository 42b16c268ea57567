"""Keeping tables fast: many small files become few, and files that nobody needs any more go."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from lake.errors import FilesMissing, LakeAway, RowsChanged
from lake.location import Lake
from lake.opening import again_if_missed, open_table
from lake.schema_version import known
from lake.writer import WRITER

REPLACED_FILES = {"delta.deletedFileRetentionDuration": "interval 3 hours"}
"""The table property that says how long files are kept that a commit has replaced, and those that no commit names.

A reader of an older version has so long to end; ours need seconds to minutes, and one that fails opens the newest. Also
how long the log names replaced files: each checkpoint repeats them all, and a commit a second makes 86,400 a day.
"""


@dataclass(frozen=True)
class Compaction:
    """What a compaction did to a table: its active files, and the rows that it left as they were.

    `conflict` says that another writer changed the same files meanwhile; the rest waits for the next time.
    """

    table: str
    files_before: int
    files_after: int
    rows: int
    conflict: bool


@dataclass(frozen=True)
class Vacuum:
    """How many files of a table were deleted, and the rows that it left as they were."""

    table: str
    files_deleted: int
    rows: int


def compact(lake: Lake, name: str, *, min_files: int = 50, max_file_bytes: int = 16 * 1024 * 1024) -> Compaction:
    """Merges small files of the table called `name`, in each of its partitions that has at least `min_files` of them.

    Files of `max_file_bytes` or more are left alone, and the merged ones do not get much larger: that bounds what
    is written again and again. Appends may go on meanwhile; two compactions of one table must not run at once.
    Raises RowsChanged where the number of rows is not the same before and after, LakeAway, TableNewer.
    """
    try:
        table = known(name, open_table(lake, name))
        before = table.file_uris()
        conflict = False
        for partition in list(_crowded(table, min_files, max_file_bytes)):
            mark = uuid.uuid4().hex
            began_at = table.version()
            if _merge(table, partition, max_file_bytes, mark):
                _require_same_rows(lake, name, table, began_at, mark)
            else:
                conflict = True
        return Compaction(name, len(before), len(table.file_uris()), table.count(), conflict)
    except TableNotFoundError:
        return Compaction(name, 0, 0, 0, conflict=False)
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{lake.table_uri(name)} could not be compacted: {error}") from error


def vacuum(lake: Lake, name: str) -> Vacuum:
    """Deletes the files of the table called `name` that were not needed for as long as its REPLACED_FILES says.

    Those are files that a commit replaced so long ago, and files that no commit names and that are so old: whoever
    wrote them was stopped, or lost against another writer. Writers may go on meanwhile.
    Raises FilesMissing where the table needs one that was deleted, LakeAway, TableNewer.
    """
    try:
        table = known(name, open_table(lake, name))
        # Not the default "lite": it sees neither files of failed writes nor those that a checkpoint names no more.
        deleted = table.vacuum(full=True, dry_run=False)
        again_if_missed(table.update_incremental)
        needed = pa.table(table.get_add_actions())["path"].to_pylist()
        if missing := set(deleted).intersection(needed):
            raise FilesMissing(name, missing)
        return Vacuum(name, len(deleted), table.count())
    except TableNotFoundError:
        return Vacuum(name, 0, 0)
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{lake.table_uri(name)} could not be vacuumed: {error}") from error


def _crowded(table: DeltaTable, min_files: int, max_file_bytes: int) -> Iterator[list[tuple[str, str, str]]]:
    """The partitions with many small files, each as a filter."""
    columns = table.metadata().partition_columns
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    small: dict[tuple[str, ...], int] = {}
    for file in files:
        if file["size_bytes"] < max_file_bytes:
            values = tuple(str(file[f"partition.{column}"]) for column in columns)
            small[values] = small.get(values, 0) + 1
    for values, count in small.items():
        if count >= min_files:
            yield [(column, "=", value) for column, value in zip(columns, values, strict=True)]


def _merge(table: DeltaTable, partition: list[tuple[str, str, str]], max_file_bytes: int, mark: str) -> bool:
    """Compacts one partition in commits that carry the mark; False where another writer changed its files."""
    try:
        table.optimize.compact(
            partition_filters=partition or None,
            target_size=max_file_bytes,
            max_concurrent_tasks=1,
            writer_properties=WRITER,
            commit_properties=CommitProperties(custom_metadata={"compaction": mark}),
        )
    except CommitFailedError:
        again_if_missed(table.update_incremental)
        return False
    return True


def _require_same_rows(lake: Lake, name: str, table: DeltaTable, began_at: int, mark: str) -> None:
    """Compares the versions around each commit with this mark; appends of others may lie between."""
    for version in range(began_at + 1, table.version() + 1):
        if mark in _commit(lake, name, version):
            before, after = (_rows_at(lake, name, number) for number in (version - 1, version))
            if before != after:
                raise RowsChanged(name, version, before, after)


def _commit(lake: Lake, name: str, version: int) -> str:
    """The text of a commit. `history()` is no help: it misnumbers commits while others are being made."""
    log = PyFileSystem(DeltaStorageHandler(lake.table_uri(name), dict(lake.storage_options)))
    with log.open_input_file(f"_delta_log/{version:020}.json") as file:
        return str(file.read(), "utf-8")


def _rows_at(lake: Lake, name: str, version: int) -> int:
    return open_table(lake, name, version=version).count()
