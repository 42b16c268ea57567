"""Every table is read by the tools of analysts exactly as docs/tables.md says."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from benchmarks import spark
from benchmarks.other_environment import EnvironmentFailed, other_environment
from lake.location import Lake
from lake.table_spec import TableSpec
from lake.table_version import open_version
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from sites import load_sites, register_site
from tests.refresh.landing import Landing
from tests.reports.rows import NOON, SITE

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
SPECS: Mapping[str, TableSpec] = {EVENTS.name: EVENTS, **{report.name: report.spec for report in REPORTS}}

GOALS = """
[[site.goal]]
name = "visit"
action = "pageview"

[[site.goal]]
name = "sign up"
action = "signup"

[[site.funnel]]
name = "joining"
steps = ["visit", "sign up"]
"""


def reads(tool: str) -> dict[str, str]:
    """By table what the page says for a tool."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {section.split("\n", 1)[0]: re.search(rf"^\| {tool} \| `(.+)` \|$", section, re.M) for section in sections}
    return {name: line[1] for name, line in found.items() if line is not None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above a home `var` whose tables all have rows."""
    folder = tmp_path_factory.mktemp("analyst")
    home = folder / "var"
    register_site(home / "sites.toml", SITE)
    with (home / "sites.toml").open("a", encoding="utf-8") as file:
        file.write(GOALS)
    lake = Lake(str(home / "lake"))
    ann = {
        "user_id": "ann",
        "visitor_id": "ann",
        "url": f"https://{SITE}/?utm_source=a&utm_campaign=b",
        "language": "de",
    }
    Landing(lake).land(
        {**ann, "occurred_at": NOON, "subject_type": "page", "subject_id": "/"},
        {**ann, "occurred_at": NOON + timedelta(minutes=1), "action": "signup"},
        {"kind": "dead_letter", "reason": "invalid", "site": SITE},
    )
    bring_up_to_date(lake, REPORTS, load_sites(home / "sites.toml"))
    return folder


def rows_of(folder: Path, name: str) -> int:
    rows = open_version(Lake(str(folder / "var" / "lake")), SPECS[name]).scan().select(pl.len()).collect().item()
    assert rows > 0, f"{name} has no rows"
    return int(rows)


@pytest.mark.parametrize("tool", ["Polars", "DuckDB", "pandas", "Spark"])
def test_the_page_says_it_of_every_table(tool: str) -> None:
    assert set(reads(tool)) == set(SPECS)


@pytest.mark.parametrize("tool", ["Polars", "DuckDB"])
def test_each_line_reads_all_rows(folder: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = {"pl": pl, "duckdb": duckdb, "DeltaTable": DeltaTable}
    for name, line in reads(tool).items():
        assert len(eval(line, names)) == rows_of(folder, name), line  # noqa: S307 - the page is our own


PANDAS = ("pandas==2.3.3", "pyarrow==26.0.1", "deltalake==1.6.3")

IN_PANDAS = """
import json, sys
import pandas as pd
from deltalake import DeltaTable

print(json.dumps({name: len(eval(line)) for name, line in json.load(sys.stdin).items()}))
"""

IN_SPARK = """
import json, sys
from spark_landing import session

spark = session()
# Spark cuts the log of each small table into fifty tasks.
spark.conf.set("spark.databricks.delta.snapshotPartitions", 1)
spark.conf.set("spark.sql.shuffle.partitions", 1)
print(json.dumps({name: eval(line).count() for name, line in json.load(sys.stdin).items()}))
"""


@pytest.mark.readers
@pytest.mark.parametrize(
    ("tool", "script", "packages"), [("pandas", IN_PANDAS, PANDAS), ("Spark", IN_SPARK, (spark.PYSPARK,))]
)
def test_each_line_reads_all_rows_elsewhere(folder: Path, tool: str, script: str, packages: tuple[str, ...]) -> None:
    try:
        python = other_environment(tool.lower(), *packages)
    except EnvironmentFailed as error:
        pytest.skip(f"{tool} can't be installed here: {error}")
    done = subprocess.run(
        [python, "-c", script],
        input=json.dumps(reads(tool)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(spark.__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {name: rows_of(folder, name) for name in SPECS}
