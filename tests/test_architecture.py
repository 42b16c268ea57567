"""Imports point one way: ingest_api → event_stream ← pipelines → lake ← query_api; all may import sites."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "sites": set(),
    "event_stream": {"sites"},
    "lake": {"sites"},
    "ingest_api": {"event_stream", "sites"},
    "pipelines": {"event_stream", "lake", "sites"},
    "query_api": {"lake", "sites"},
    "dagster_project": {"pipelines", "lake", "event_stream", "sites"},
    "logektor": {"sites", "event_stream", "lake", "ingest_api", "pipelines", "query_api", "dagster_project"},
}

MAY_NOT_IMPORT = {
    "sites": {"pydantic", "msgspec", "polars", "pyarrow", "deltalake", "dagster", "fastapi", "confluent_kafka"},
    "event_stream": {"pyarrow", "polars", "deltalake", "dagster", "fastapi"},
    "ingest_api": {"pyarrow", "polars", "deltalake", "dagster"},
    "pipelines": {"deltalake", "dagster", "fastapi"},
    "query_api": {"deltalake", "dagster", "confluent_kafka"},
    "dagster_project": {"deltalake", "confluent_kafka"},
}
"""`lake` is the only place that knows Delta; the collector stays small; reports know no Dagster."""

LENT = {"query_api/realtime.py": {"pipelines.reports.clean_events"}}
"""What one file may import beyond its rule: a pure module, by its whole name.

/api/realtime tells bots, pages and sources of events that are in no table yet, and must do so by the reports' own rule.
"""

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers"}


def imported_roots(file: Path) -> set[str]:
    """The first word of each module that a file imports, at any depth of the file; what is lent to it left out."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module)
    return {module.split(".")[0] for module in modules - LENT.get(file.relative_to(ROOT).as_posix(), set())}


def source_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    own = set(MAY_IMPORT)
    for file in source_files(package):
        others = (imported_roots(file) & own) - {package}
        assert others <= MAY_IMPORT[package], f"{file.relative_to(ROOT)} imports {sorted(others - MAY_IMPORT[package])}"


@pytest.mark.parametrize("package", MAY_NOT_IMPORT)
def test_each_library_stays_in_its_room(package: str) -> None:
    for file in source_files(package):
        foreign = imported_roots(file) & MAY_NOT_IMPORT[package]
        assert not foreign, f"{file.relative_to(ROOT)} imports {sorted(foreign)}"


def test_every_package_of_the_house_has_its_rule() -> None:
    packages = {folder.parent.name for folder in ROOT.glob("*/__init__.py")}
    assert packages - {"tests", "benchmarks"} == set(MAY_IMPORT)


def test_nothing_is_called_utils() -> None:
    named = {file for package in MAY_IMPORT for file in (ROOT / package).rglob("*") if file.stem in FORBIDDEN_NAMES}
    assert not named


def test_no_module_is_longer_than_a_person_reads() -> None:
    too_long = {
        str(file.relative_to(ROOT)): lines
        for package in MAY_IMPORT
        for file in source_files(package)
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not too_long


def test_a_reader_of_the_environment_is_a_settings_file() -> None:
    """Settings are read once, at the edge; what merely hands the whole environment on to a child is no reader."""
    for package in MAY_IMPORT:
        for file in source_files(package):
            text = file.read_text(encoding="utf-8")
            reads = "os.getenv" in text or "os.environ[" in text or "os.environ.get" in text
            assert not reads or file.name in {"settings.py", "resources.py"}, file.relative_to(ROOT)
