"""The collector stays small."""

import subprocess
import sys


def test_the_collector_loads_neither_the_lake_nor_dagster() -> None:
    program = "import sys, ingest_api.__main__, ingest_api.application; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in printed.split()}
    assert "msgspec" in loaded
    assert not {"pyarrow", "polars", "deltalake", "dagster", "pandas", "numpy"} & loaded
