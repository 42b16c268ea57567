"""The daemon, a code server and runs as processes, as `up` and `dagster dev` have them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dagster_project.instance import write_instance
from lake.location import Lake
from lake.table_version import open_version
from logektor.embedded_kafka import free_port
from logektor.probes import listens
from pipelines.reports.traffic import TRAFFIC
from tests.refresh.landing import Landing
from tests.scale.server_process import kill, until

ROOT = Path(__file__).parent.parent.parent
SECONDS = 120.0

pytestmark = pytest.mark.slow


@contextmanager
def process(home: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part of Dagster in a process group of its own, as `up` starts it; its end is the end of its children."""
    environment = {**os.environ, "LOGEKTOR_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    with (home / "log.txt").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield started
        finally:
            kill(started)


@contextmanager
def code_server(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    words = ("dagster", "api", "grpc", "--module-name", "dagster_project.definitions", "--host", "127.0.0.1")
    with process(home, *words, "--port", str(port), "--location-name", "logektor") as started:
        until(lambda: listens(port), "the code server", SECONDS)
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_instance(tmp_path)
    return tmp_path


def events_in_traffic(home: Path) -> int:
    counted = open_version(Lake(str(home / "lake")), TRAFFIC.spec).scan().select(pl.col("events").sum())
    return int(counted.collect().item() or 0)


def runs_in(home: Path, status: dg.DagsterRunStatus) -> int:
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        return len(instance.get_runs(dg.RunsFilter(statuses=[status])))


def test_landed_events_are_in_reports_soon_also_after_a_run_was_killed(home: Path) -> None:
    port = free_port()
    workspace = home / "dagster" / "workspace.yaml"
    workspace.write_text(f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {port}, location_name: logektor}}}}]")
    landing = Landing(Lake(str(home / "lake")))
    landing.land(*({"visitor_id": "ann"} for _ in range(3)))
    daemon = ("dagster._daemon", "run", "--workspace", str(workspace))
    # The daemon comes second, as with `up`: two that start at once on a new home both create its files.
    with code_server(home, port) as server, process(home, *daemon):
        until(lambda: runs_in(home, dg.DagsterRunStatus.STARTED) == 1, "a run", SECONDS)
        kill(server)
        with code_server(home, port):
            until(lambda: runs_in(home, dg.DagsterRunStatus.FAILURE) == 1, "the end of the killed run", SECONDS)
            until(lambda: events_in_traffic(home) == 3, "traffic after the killed run", SECONDS)
            landing.land({"visitor_id": "bob"})
            until(lambda: events_in_traffic(home) == 4, "traffic after one more event", SECONDS)
