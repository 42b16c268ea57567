"""Opens a Delta table and lists its log, also in the moment in which a folder's listing misses a commit."""

import time
from collections.abc import Callable
from typing import TypeVar

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lake.location import Lake

_TIMES = 10
"""How often a log with a hole is listed before it is held to be damaged."""

_PAUSE_SECONDS = 0.05

T = TypeVar("T")


def open_table(lake: Lake, name: str, *, version: int | None = None, without_files: bool = False) -> DeltaTable:
    """The table called `name` as it is now, or at a version. Raises DeltaError, TableNotFoundError, OSError."""
    uri, options = lake.table_uri(name), dict(lake.storage_options)
    return again_if_missed(
        lambda: DeltaTable(uri, version=version, storage_options=options, without_files=without_files)
    )


def again_if_missed(act: Callable[[], T], pause: Callable[[float], None] = time.sleep) -> T:
    """Does what lists a log, and only reads it, until the listing has no hole. Raises what `act` does."""
    for _ in range(_TIMES - 1):
        try:
            return act()
        except DeltaError as error:
            if not missed_a_commit(error):
                raise
        pause(_PAUSE_SECONDS)
    return act()


def missed_a_commit(error: Exception) -> bool:
    """Whether deltalake found one commit of the log missing between others.

    A folder that is written to is not listed at one moment: of two new names the listing may hold the second alone.
    deltalake has no class of its own for that.
    """
    return "Expected contiguous commit files" in str(error)
