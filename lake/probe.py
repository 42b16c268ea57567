"""Trying what the tables rely on: that a lake is written to, and that two commits of one version never both succeed."""

import shutil
import uuid
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileType, PyFileSystem

from lake.errors import LakeAway
from lake.location import Lake

_ROWS = pa.table({"probe": [1]})
_ONCE = CommitProperties(app_transactions=[Transaction("doctor", 1)])


def keeps_one_of_two_commits(lake: Lake) -> bool:
    """Whether of two writers that hold the same version of a table only one succeeds: the landing worker's fence.

    Makes a table in a folder `_doctor` beside the others, and deletes it. Raises LakeAway.
    """
    uri = lake.table_uri(f"_doctor/{uuid.uuid4().hex}")
    options = dict(lake.storage_options)
    try:
        write_deltalake(uri, _ROWS, storage_options=options)
        try:
            first, second = (DeltaTable(uri, storage_options=options) for _ in range(2))
            write_deltalake(first, _ROWS, mode="append", commit_properties=_ONCE)
            try:
                write_deltalake(second, _ROWS, mode="append", commit_properties=_ONCE)
            except CommitFailedError:
                return True
            return False
        finally:
            _delete(lake, uri)
    except (DeltaError, OSError) as error:
        raise LakeAway(f"{lake.uri} could not be written: {error}") from error


def _delete(lake: Lake, uri: str) -> None:
    if lake.is_folder:
        shutil.rmtree(Path(uri).parent)
        return
    store = PyFileSystem(DeltaStorageHandler(uri, dict(lake.storage_options)))
    for file in store.get_file_info(FileSelector("", recursive=True)):
        if file.type == FileType.File:
            store.delete_file(file.path)
