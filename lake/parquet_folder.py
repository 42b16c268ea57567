"""Where a report's plain Parquet files are: a folder beside the lake, on a disk or in an object store."""

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import polars as pl
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, PyFileSystem

from lake.location import Lake

FOLDER = "reports_parquet"

_MARK = "logektor.written_from"
"""The file metadata that says what a file was written from."""


class ParquetFolder(Protocol):
    """The files of one report, each named by a month such as 2026-11. A file is replaced in one step, or not at all."""

    def held(self) -> AbstractContextManager[bool]:
        """Keeps other writers out for so long where that can be done; gives whether it can."""

    def months(self) -> set[str]:
        """The months that have a file."""

    def mark(self, month: str) -> str | None:
        """What the month's file was written from."""

    def write(self, month: str, rows: pl.LazyFrame, mark: str) -> None:
        """Replaces the month's file."""

    def delete(self, month: str) -> None:
        """Deletes the month's file; one that is gone already is no error."""


def parquet_folder(lake: Lake, report: str) -> ParquetFolder:
    """The files of a report."""
    if lake.is_folder:
        return FolderOnDisk(Path(lake.parent) / FOLDER / report)
    return FolderInStore(lake, f"{FOLDER}/{report}")


class FolderOnDisk:
    """No other name in the folder ends in `.parquet`, so `*.parquet` is the whole report."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[bool]:
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield True

    def months(self) -> set[str]:
        return {file.stem for file in self._folder.glob("*.parquet")}

    def mark(self, month: str) -> str | None:
        return pl.read_parquet_metadata(self._file(month)).get(_MARK)

    def write(self, month: str, rows: pl.LazyFrame, mark: str) -> None:
        new = self._folder / f".{month}.new"
        rows.sink_parquet(new, compression="zstd", metadata={_MARK: mark})
        new.replace(self._file(month))

    def delete(self, month: str) -> None:
        self._file(month).unlink(missing_ok=True)

    def _file(self, month: str) -> Path:
        return self._folder / f"{month}.parquet"


class FolderInStore:
    """An object is there when its upload has ended, whole."""

    def __init__(self, lake: Lake, folder: str) -> None:
        self._uri = lake.parent
        self._options = dict(lake.storage_options)
        self._folder = folder
        self._store = PyFileSystem(DeltaStorageHandler(self._uri, self._options))

    @contextmanager
    def held(self) -> Iterator[bool]:
        yield False

    def months(self) -> set[str]:
        found = self._store.get_file_info(FileSelector(self._folder, allow_not_found=True))
        return {Path(file.path).stem for file in found if file.path.endswith(".parquet")}

    def mark(self, month: str) -> str | None:
        return pl.read_parquet_metadata(self._address(month), storage_options=self._options).get(_MARK)

    def write(self, month: str, rows: pl.LazyFrame, mark: str) -> None:
        rows.sink_parquet(
            self._address(month), compression="zstd", metadata={_MARK: mark}, storage_options=self._options
        )

    def delete(self, month: str) -> None:
        self._store.delete_file(f"{self._folder}/{month}.parquet")

    def _address(self, month: str) -> str:
        return f"{self._uri}/{self._folder}/{month}.parquet"
