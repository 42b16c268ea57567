"""The example of a report of one's own, found as an installed package is."""

import tomllib
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dagster_project.defs.reports.assets import report_asset
from lake.location import Lake
from lake.table_version import open_version
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import load_reports
from pipelines.reports.report import Report
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, GOOGLEBOT, SITE

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_report"


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """What load_reports finds where the example is on the path with the metadata that installing writes."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = tmp_path / f"own_report-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["logektor.reports"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[logektor.reports]", *lines]), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return load_reports()[-1]


def test_it_counts_and_its_asset_is_below_events(report: Report, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    signup = {"action": "signup"}
    Landing(lake).land(
        {**signup, "properties": '{"plan": "pro"}'},
        {**signup, "properties": '{"plan": "pro"}'},
        {**signup, "properties": '{"price": 3}'},
        {**signup, "user_agent": GOOGLEBOT},
        {},
    )
    take_in(lake, {})
    build(lake, report, [DAY])
    rows = open_version(lake, report.spec).scan().sort("plan").collect().rows()
    assert rows == [(SITE, DAY, "pro", 2), (SITE, DAY, "unknown", 1)]
    assert report_asset(report, None).keys == {dg.AssetKey("signups")}
    assert pl.scan_parquet(tmp_path / "reports_parquet" / "signups" / "*.parquet").collect().height == 2


def test_it_is_less_than_40_lines() -> None:
    files = [file for file in EXAMPLE.iterdir() if file.is_file()]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 40
