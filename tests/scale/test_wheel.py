"""The product without its source: a wheel in an empty environment, made with Python's own venv and pip."""

import os
import re
import shutil
import subprocess
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from tests.end_to_end.conftest import Stack, until

pytestmark = [pytest.mark.kafka, pytest.mark.scale]

ROOT = Path(__file__).parent.parent.parent
PINNED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["pinned"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [shutil.which("uv") or "uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, timeout=120
    )
    (built,) = folder.glob("logektor-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What the wheel installs, in a folder that knows nothing of this clone."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [folder / "venv" / "bin" / "pip", "install", "--quiet", f"{wheel}[pinned]"],
        cwd=folder,
        env=environment,
        check=True,
        timeout=600,
    )
    stack = Stack(folder / "home", command=(str(folder / "venv" / "bin" / "logektor"),), folder=folder)
    try:
        yield stack
    finally:
        stack.end()


def test_a_wheel_holds_no_file_outside_its_packages(wheel: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    packages = {folder.parent.name for folder in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert {root for root in roots if not root.endswith(".dist-info")} == packages


def test_an_installed_wheel_takes_an_event_to_its_report_and_stops(installed: Stack) -> None:
    stack = installed
    stack.start()

    event = b'{"objectId":2,"objectType":"user","action":"view","subjectId":2,"subjectType":"article"}'
    day = datetime.now(UTC).date()
    assert httpx.post(stack.url("/track", "collector"), content=event).status_code == 202
    assert "logektor" in httpx.get(stack.url("/logektor.js", "collector")).text
    until(lambda: stack.status()["rows"].get("event") == 1, 60, "the event is landed", every=1.0)
    (row,) = until(
        lambda: stack.report("actions", "localhost", str(day), str(datetime.now(UTC).date())),
        150,
        "the event is in report actions",
        every=1.0,
    )
    assert (row["action"], row["events"]) == ("view", 1)

    cookie = {"Authorization": f"Bearer {stack.read_token()}"}
    for path in (
        "/",
        "/live",
        "/rejected",
        *(f"/dashboard/{name}" for name in ("main.js", "vendor/uplot/uPlot.esm.js")),
    ):
        answer = httpx.get(stack.url(path), headers=cookie)
        assert answer.status_code == 200, path
        assert answer.content, path
    dagster = httpx.post(
        stack.url("/graphql", "dagster"), json={"query": "{assetNodes {assetKey {path}} version}"}, timeout=30
    )
    assert ["events"] in [node["assetKey"]["path"] for node in dagster.json()["data"]["assetNodes"]]
    assert stack.run("audit").returncode == 0

    assert stack.process is not None
    pids = [process.pid for process in psutil.Process(stack.process.pid).children(recursive=True)]
    assert pids
    assert stack.stop() <= 15
    # A refresh that runs just then sees that its parent is gone, and ends by itself.
    until(lambda: not any(map(psutil.pid_exists, pids)), 30, "no process is left")


def test_it_runs_what_was_tested(installed: Stack) -> None:
    """The pinned versions, whatever has been published since."""
    pinned = {
        canonical(name): version
        for name, version in (pin.split(" ; ")[0].split("==") for pin in PINNED if not pin.startswith("deprecated=="))
    }
    python = Path(installed.command[0]).with_name("python")
    script = "from importlib.metadata import distributions as all\nfor each in all(): print(each.name, each.version)"
    listed = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    there = {canonical(name): version for name, version in map(str.split, listed.stdout.splitlines())}
    # Of the environment itself, and one package that is pinned by Python version.
    brought = there.keys() - {"pip", "setuptools", "logektor", "deprecated"}
    assert brought >= {"deltalake", "dagster", "polars"}
    assert {name: there[name] for name in brought} == {name: pinned.get(name) for name in brought}
