"""How far a table has read the stream: the transactions of its Delta log, one per stream partition."""

import json
from collections.abc import Iterator, Mapping

import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSystem, PyFileSystem

from lake.location import Lake

Progress = Mapping[tuple[str, int], int]
"""By (stream_id, stream partition) the offset of the *next* record: one past the last that is in the table."""


def app_id(owner: str, stream_id: str, partition: int) -> str:
    """The name of a stream partition's transaction; its version is the next offset. `owner` is who commits it."""
    return f"{owner}/{stream_id}/{partition}"


def read_progress(lake: Lake, name: str, table: DeltaTable, owner: str) -> dict[tuple[str, int], int]:
    """The progress that `owner` has committed with the rows of this very snapshot of the table called `name`."""
    progress: dict[tuple[str, int], int] = {}
    for transaction in _app_ids(lake, name, table.version()):
        committer, _, place = transaction.partition("/")
        version = table.transaction_version(transaction)
        if committer == owner and version is not None:
            stream_id, _, partition = place.rpartition("/")
            progress[stream_id, int(partition)] = version
    return progress


def _app_ids(lake: Lake, name: str, version: int) -> set[str]:
    """All app_ids up to a version, as the Delta protocol stores them: deltalake answers only for a known one."""
    log = PyFileSystem(DeltaStorageHandler(lake.table_uri(name), dict(lake.storage_options)))
    try:
        checkpoint = int(json.loads(_read(log, "_delta_log/_last_checkpoint"))["version"])
    except FileNotFoundError:
        checkpoint = -1
    found = set(_in_checkpoint(log, checkpoint)) if checkpoint >= 0 else set()
    for commit in range(checkpoint + 1, version + 1):
        found.update(_in_commit(log, commit))
    return found


def _in_checkpoint(log: FileSystem, version: int) -> Iterator[str]:
    with log.open_input_file(f"_delta_log/{version:020}.checkpoint.parquet") as file:
        transactions = pq.read_table(file, columns=["txn"]).column("txn").combine_chunks()
    yield from transactions.drop_null().field("appId").to_pylist()


def _in_commit(log: FileSystem, version: int) -> Iterator[str]:
    for line in _read(log, f"_delta_log/{version:020}.json").splitlines():
        action = json.loads(line)
        if "txn" in action:
            yield action["txn"]["appId"]


def _read(log: FileSystem, path: str) -> bytes:
    with log.open_input_file(path) as file:
        content: bytes = file.read()
        return content
