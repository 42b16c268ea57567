"""The transactions of a Delta table: a number by app_id, carried by the commits that belong to it.

deltalake answers for one app_id at a time and needs milliseconds for each, so the log is read here, once for all.
"""

import json
from collections.abc import Iterator

import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSystem, PyFileSystem

from lake.location import Lake


def read_transactions(lake: Lake, name: str, version: int) -> dict[str, int] | None:
    """The last number of each app_id at a version of the table called `name`.

    None where the log has been checkpointed past that version meanwhile: open the table again and ask for its version.
    """
    log = PyFileSystem(DeltaStorageHandler(lake.table_uri(name), dict(lake.storage_options)))
    try:
        checkpoint = int(json.loads(_read(log, "_delta_log/_last_checkpoint"))["version"])
    except FileNotFoundError:
        checkpoint = -1
    if checkpoint > version:
        return None
    found = dict(_in_checkpoint(log, checkpoint)) if checkpoint >= 0 else {}
    for commit in range(checkpoint + 1, version + 1):
        found.update(_in_commit(log, commit))
    return found


def _in_checkpoint(log: FileSystem, version: int) -> Iterator[tuple[str, int]]:
    with log.open_input_file(f"_delta_log/{version:020}.checkpoint.parquet") as file:
        transactions = pq.read_table(file, columns=["txn"]).column("txn").combine_chunks().drop_null()
    yield from zip(transactions.field("appId").to_pylist(), transactions.field("version").to_pylist(), strict=True)


def _in_commit(log: FileSystem, version: int) -> Iterator[tuple[str, int]]:
    for line in _read(log, f"_delta_log/{version:020}.json").splitlines():
        # A commit may name thousands of files, and few transactions.
        if b'"txn"' in line:
            action = json.loads(line)
            if "txn" in action:
                yield action["txn"]["appId"], action["txn"]["version"]


def _read(log: FileSystem, path: str) -> bytes:
    with log.open_input_file(path) as file:
        content: bytes = file.read()
        return content
