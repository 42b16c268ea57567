"""The project as Dagster loads it, and what it shows to those who look at the graph."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.days import DAYS
from dagster_project.definitions import defs
from dagster_project.defs.alerts import news
from dagster_project.defs.reports.assets import report_asset
from dagster_project.lake_resource import LakeResource
from dagster_project.table_check import key_checks
from pipelines.reports.all_reports import REPORTS, load_reports
from pipelines.reports.clean_events import EVENTS
from tests.dagster_project.snapshot import FILE, snapshot

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    definitions: dg.Definitions = defs()
    dg.Definitions.validate_loadable(definitions)
    return definitions


def graph(definitions: dg.Definitions) -> dict[str, set[str]]:
    assets = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {parent.to_user_string() for parent in assets.get(key).parent_keys}
        for key in assets.get_all_asset_keys()
    }


def test_the_project_is_as_it_was_looked_at_last(loaded: dg.Definitions) -> None:
    again = "see what has changed, then run `uv run python -m tests.dagster_project.snapshot`"
    assert FILE.read_text(encoding="utf-8") == snapshot(loaded), again


def test_every_asset_says_what_it_is_and_where_it_belongs(loaded: dg.Definitions) -> None:
    assets = loaded.resolve_asset_graph()
    for key in assets.get_all_asset_keys():
        assert assets.get(key).description, key
        assert assets.get(key).group_name in {"collected", "landed", "clean", "reports"}, key
        assert assets.get(key).kinds, key
        assert assets.get(key).owners, key
        assert assets.get(key).tags, key


def test_what_dagster_shows_of_a_table_is_its_definition(loaded: dg.Definitions) -> None:
    assets = loaded.resolve_asset_graph()
    for spec in (EVENTS, *(report.spec for report in REPORTS)):
        node = assets.get(dg.AssetKey(spec.name))
        schema = node.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert [column.name for column in schema.columns] == list(spec.schema)
        assert node.description == spec.description
        assert node.partitions_def == DAYS
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_a_report_of_another_package_gets_its_asset_and_its_check() -> None:
    installed = EntryPoint("knocks", "tests.dagster_project.other_package:KNOCKS", "logektor.reports")
    report = load_reports([installed])[-1]
    other = dg.Definitions(
        assets=[report_asset(report, None)],
        asset_checks=[key_checks([report])],
        resources={"lake": LakeResource(uri="lake", sites_file="sites.toml")},
    )
    assert graph(other)["knocks"] == {"events"}
    assert [key.name for key in other.resolve_asset_graph().asset_check_keys] == ["key_is_unique"]


def _run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {
        "LOGEKTOR_HOME": str(home),
        "DAGSTER_HOME": str(home),
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(home),
    }
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.slow
def test_dagster_finds_the_project_by_its_workspace(tmp_path: Path) -> None:
    validated = _run(tmp_path, str(BIN / "dagster"), "definitions", "validate", "-w", "workspace.yaml")
    assert validated.returncode == 0, validated.stderr


@pytest.mark.slow
def test_dg_finds_the_project_by_its_pyproject(tmp_path: Path) -> None:
    checked = _run(tmp_path, str(BIN / "dg"), "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_all_jobs_checks_schedules_and_sensors_are_described(loaded: dg.Definitions) -> None:
    page = (ROOT / "docs" / "dagster.md").read_text(encoding="utf-8")
    repository = loaded.get_repository_def()
    names = {
        *(name for name in repository.job_names if not name.startswith("__")),
        *(check.name for check in loaded.resolve_asset_graph().asset_check_keys),
        *(schedule.name for schedule in repository.schedule_defs),
        *(sensor.name for sensor in repository.sensor_defs),
    }
    assert not {name for name in names if f"`{name}`" not in page}


def test_the_pages_example_of_an_alert_is_what_is_told() -> None:
    page = (ROOT / "docs" / "dagster.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    shown = json.loads(example)
    told = {each["problem"]: each["text"] for each in shown["solved"]}
    assert news(told, {each["problem"]: each["text"] for each in shown["new"]}) == shown
