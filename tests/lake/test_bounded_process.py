"""Upkeep in a process of its own, that may use only so much memory."""

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lake.bounded_process import Failed, call_for_each
from lake.errors import LakeAway
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.maintenance import Compaction, compact
from lake.raw_schema import TABLE
from tests.lake.landing import land

MIB = 1024 * 1024


def process_of(table: str) -> tuple[str, int]:
    match table:
        case "away":
            raise LakeAway("It is away.")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "large":
            bytearray(2048 * MIB)
        case "idle":
            threading.Event().wait()
        case "busy":
            ends = time.monotonic() + 2
            while time.monotonic() < ends:
                pass
    return table, os.getpid()


def threads_of_allocators(table: str) -> int:
    pl.LazyFrame({"number": range(100_000)}).group_by(pl.col("number") % 7).len().collect()
    names = [thread.read_text(encoding="utf-8") for thread in Path("/proc/self/task").glob("*/comm")]
    assert len(names) > 1
    return sum(name.startswith("jemalloc") for name in names)


def test_all_tables_share_a_process_until_one_ends_it() -> None:
    names = ["a", "away", "b", "killed", "c", "large", "d"]
    outcomes = dict(zip(names, call_for_each(process_of, names, 512 * MIB), strict=True))
    assert outcomes["away"] == Failed("It is away.")
    for name, how in (("killed", "SIGKILL"), ("large", "exit code 1")):
        failed = outcomes[name]
        assert isinstance(failed, Failed)
        assert failed.sentence.startswith(f"Table {name} is as it was: the process of its upkeep ended with {how}.")
        assert "512 MiB" in failed.sentence
    pids = {}
    for name in "abcd":
        outcome = outcomes[name]
        assert not isinstance(outcome, Failed)
        assert outcome[0] == name
        pids[name] = outcome[1]
    assert pids["a"] == pids["b"]
    assert len({os.getpid(), *pids.values()}) == 4


def test_a_process_that_does_nothing_is_ended_and_one_that_works_is_not() -> None:
    names = ["idle", "busy"]
    idle, busy = call_for_each(process_of, names, 512 * MIB, idle_seconds=1.5)
    assert isinstance(idle, Failed)
    assert "SIGKILL" in idle.sentence
    assert not isinstance(busy, Failed)


def test_no_allocator_tries_for_ever_to_start_a_thread_for_which_there_is_no_memory() -> None:
    assert list(call_for_each(threads_of_allocators, ["a"], 4096 * MIB)) == [0]


def test_a_compaction_for_which_memory_does_not_suffice_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    writer = DeltaLandingTable(lake)
    for number in range(20):
        land(writer, number * 10)
    version = DeltaTable(lake.table_uri(TABLE)).version()
    call = partial(compact, lake, min_files=10)
    (failed,) = call_for_each(call, [TABLE], 100 * MIB, idle_seconds=10)
    assert isinstance(failed, Failed)
    assert failed.sentence.startswith("Table landed is as it was")
    table = DeltaTable(lake.table_uri(TABLE))
    assert (table.version(), table.count()) == (version, 200)
    assert list(call_for_each(call, [TABLE], 1024 * MIB)) == [Compaction(TABLE, 40, 2, 200, conflict=False)]


@pytest.mark.slow
def test_a_day_of_a_million_rows_fits_twice_into_what_upkeep_may_use(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    writer = DeltaLandingTable(lake)
    for number in range(100):
        land(writer, number * 10_000, events=9_999)
    (done,) = call_for_each(partial(compact, lake), [TABLE], 512 * MIB)
    assert isinstance(done, Compaction), done
    assert done.rows == 1_000_000
    assert done.files_after < 10
