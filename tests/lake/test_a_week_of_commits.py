"""A table with a commit a second stays fast for as long as upkeep runs as scheduled: a week, scaled down.

Scaled are: 50 commits for ten minutes' 600, and so 300 for an hour; what the log and replaced files are kept for, in
seconds of this machine's clock.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lake.audit import audit
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import compact, vacuum
from lake.raw import open_landed
from lake.raw_schema import TABLE
from tests.lake.landing import P0, land

COMMITS = 2_000
TEN_MINUTES = 50
HOUR = 6 * TEN_MINUTES
DAY = 2 * HOUR
KEPT_SECONDS = 5

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Size:
    """What makes a table slow, at one moment."""

    active_files: int
    files: int
    log_files: int
    removed_in_checkpoint: int
    open_seconds: float


def size(lake: Lake) -> Size:
    folder = Path(lake.table_uri(TABLE))
    log = folder / "_delta_log"
    (*_, checkpoint) = sorted(log.glob("*.checkpoint.parquet"))
    began = time.perf_counter()
    table = DeltaTable(str(folder))
    active = len(table.file_uris())
    took = time.perf_counter() - began
    removed = pq.read_table(checkpoint, columns=["remove"])["remove"].combine_chunks().drop_null()
    return Size(active, len([*folder.glob("kind=*/**/*.parquet")]), len([*log.iterdir()]), len(removed), took)


def test_files_log_and_opening_time_stay_bounded_and_every_row_stays(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    writer = DeltaLandingTable(lake)
    land(writer, 0)
    table = open_landed(lake)
    assert table is not None
    kept = f"interval {KEPT_SECONDS} seconds"
    table.alter.set_table_properties({"delta.logRetentionDuration": kept, "delta.deletedFileRetentionDuration": kept})
    assert writer.landed([P0]) == {P0: 10}
    sizes = []
    for commit in range(1, COMMITS + 1):
        land(writer, commit * 10)
        if commit % TEN_MINUTES == 0:
            compact(lake, TABLE)
        if commit % HOUR == 0:
            vacuum(lake, TABLE)
            sizes.append(size(lake))
        if commit % DAY == 0:
            compact(lake, TABLE, min_files=2, max_file_bytes=64 * 1024 * 1024)
    print(*sizes, sep="\n")
    assert audit(lake).exact
    assert DeltaTable(lake.table_uri(TABLE)).count() == 10 * (COMMITS + 1)
    for now in sizes:
        assert now.active_files <= 2 * (HOUR // TEN_MINUTES + 1)
        # An hour's files, and those that were replaced less than KEPT_SECONDS ago.
        assert now.files <= 2 * 4 * HOUR
        assert now.log_files <= 4 * HOUR
        assert now.removed_in_checkpoint <= 2 * 4 * HOUR
    # Opened in the same time in the end as in the beginning, whatever else this machine does.
    assert min(now.open_seconds for now in sizes[-3:]) <= 3 * min(now.open_seconds for now in sizes[:3])
