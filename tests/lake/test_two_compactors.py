"""The canary: a deltalake that lets two compactors of one table both commit would double its rows in silence.

deltalake 1.6.6 does: run on it by hand, in an environment of its own, the first of these tests fails (the second
passes). docs/decisions/0004-deltalake-1.6.3.md says how it is unpinned.
"""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError


@pytest.fixture
def table(tmp_path: Path) -> str:
    uri = str(tmp_path / "table")
    for number in range(10):
        rows = pa.table({"day": ["a", "b"], "number": [number, number]})
        write_deltalake(uri, rows, mode="append", partition_by=["day"])
    return uri


def test_of_two_compactions_through_handles_of_one_version_one_fails(table: str) -> None:
    one, two = DeltaTable(table), DeltaTable(table)
    one.optimize.compact()
    with pytest.raises(CommitFailedError):
        two.optimize.compact()
    assert DeltaTable(table).count() == 20
    assert DeltaTable(table).to_pyarrow_table().num_rows == 20


def test_a_day_is_not_replaced_through_a_handle_from_before_its_compaction(table: str) -> None:
    replacing = DeltaTable(table)
    DeltaTable(table).optimize.compact()
    with pytest.raises(CommitFailedError):
        write_deltalake(replacing, pa.table({"day": ["a"], "number": [0]}), mode="overwrite", predicate="day = 'a'")
    assert DeltaTable(table).to_pyarrow_table().num_rows == 20
