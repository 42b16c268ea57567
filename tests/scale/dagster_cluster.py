"""Dagster as deploy/dagster has it, each part a process: webserver, daemon, code server, Celery workers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from logektor.embedded_kafka import free_port
from logektor.probes import listens
from tests.scale import postgres, redis_server
from tests.scale.server_process import kill, stop, until

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy" / "dagster"

_LAUNCH = """
mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
_BACKFILL = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
  ... on PartitionBackfill { status error { message } } } }
"""
_RUNS = """
query ($id: String!) { runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
  ... on Runs { results { runId status startTime endTime tags { key value } } } } }
"""
_ADD_DAY = """
mutation ($day: String!, $repository: RepositorySelector!) {
  addDynamicPartition(partitionsDefName: "day", partitionKey: $day, repositorySelector: $repository) { __typename } }
"""
_SENSOR = "query ($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor { id } } }"
_STOP_SENSOR = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"
_LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"

REPOSITORY = {"repositoryLocationName": "logektor", "repositoryName": "__repository__"}


def missing() -> str | None:
    """Which server this machine lacks."""
    if postgres.installed() is None:
        return "PostgreSQL is not installed"
    return None if redis_server.installed() else "Redis is not installed"


@dataclass(frozen=True)
class Run:
    """A run of a backfill, as Dagster tells of it; times are Unix seconds."""

    run_id: str
    status: str
    began: float | None
    ended: float | None
    tags: Mapping[str, str]

    @property
    def days(self) -> tuple[str, str]:
        """The first day and the last one."""
        return self.tags["dagster/asset_partition_range_start"], self.tags["dagster/asset_partition_range_end"]


@dataclass
class Cluster:
    """All parts on one machine. Workers come and go."""

    folder: Path
    environment: dict[str, str]
    web_port: int
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, *words: str, name: str) -> "subprocess.Popen[bytes]":
        """A part, in a process group of its own; what it prints is in a file of its name."""
        with (self.folder / f"{name}.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_worker(self, name: str) -> None:
        """A worker that does one run at a time. Returns when it is ready."""
        words = ("--app", "dagster_project.celery_app", "worker", "--concurrency", "1", "--hostname", f"{name}@%h")
        self.workers[name] = self.start("celery", *words, "--loglevel", "INFO", name=name)
        until(lambda: " ready." in (self.folder / f"{name}.txt").read_text(), f"worker {name}")

    def kill_worker(self, name: str) -> None:
        """SIGKILL to a worker and the run that it has."""
        kill(self.workers.pop(name))

    def ask(self, query: str, **variables: object) -> Any:
        """What GraphQL answers, the only field of it."""
        address = f"http://127.0.0.1:{self.web_port}/graphql"
        answer = httpx.post(address, json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        return next(iter(answer["data"].values()))

    def add_days(self, days: Sequence[str]) -> None:
        """As the sensor does when days turn up."""
        for day in days:
            self.ask(_ADD_DAY, day=day, repository=REPOSITORY)

    def stop_sensor(self, name: str) -> None:
        """As the switch in the UI does."""
        sensor = self.ask(_SENSOR, sensor={**REPOSITORY, "sensorName": name})
        self.ask(_STOP_SENSOR, id=sensor["id"])

    def launch(self, tables: Sequence[str], days: Sequence[str]) -> str:
        """Launches a backfill as the UI does; answers its id."""
        params = {"assetSelection": [{"path": [table]} for table in tables], "partitionNames": list(days)}
        launched = self.ask(_LAUNCH, params=params)
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def status(self, backfill: str) -> str:
        """Of a backfill; it is COMPLETED_SUCCESS in the end."""
        told = self.ask(_BACKFILL, id=backfill)
        assert not told["error"], told["error"]
        return str(told["status"])

    def complete(self, backfill: str, seconds: float) -> None:
        """Waits for the end of a backfill, which must be a good one."""
        until(lambda: self.status(backfill) not in {"REQUESTED", "COMPLETING", "FAILING"}, "the backfill", seconds)
        assert self.status(backfill) == "COMPLETED_SUCCESS"

    def runs(self, backfill: str) -> list[Run]:
        """The runs of a backfill."""
        return [
            Run(
                run["runId"],
                run["status"],
                run["startTime"],
                run["endTime"],
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in self.ask(_RUNS, id=backfill)["results"]
        ]

    def worker_of(self, run: Run) -> str | None:
        """The worker that has done a run, as Celery remembers it."""
        task = run.tags.get("dagster-celery/task_id")
        known = redis.Redis.from_url(self.environment["DAGSTER_REDIS_URL"]).get(f"celery-task-meta-{task}")
        worker = json.loads(known).get("worker") if isinstance(known, bytes) else None
        return None if worker is None else str(worker).partition("@")[0]


@contextmanager
def dagster_cluster(home: Path, settings: Mapping[str, str], most_at_once: int) -> Iterator[Cluster]:
    """All but workers, on a home of Logektor; so many runs may build tables at once."""
    folder = home / "dagster"
    folder.mkdir()
    for file in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(DEPLOY / file, folder)
    code_port, web_port = free_port(), free_port()
    with postgres.postgres() as database, redis_server.redis_server(folder) as queue:
        environment = {
            **os.environ,
            "LOGEKTOR_HOME": str(home),
            "DAGSTER_HOME": str(folder),
            "DAGSTER_POSTGRES_URL": database,
            "DAGSTER_REDIS_URL": queue,
            "DAGSTER_CODE_SERVER_HOST": "127.0.0.1",
            "DAGSTER_CODE_SERVER_PORT": str(code_port),
            "POLARS_MAX_THREADS": "1",
            **settings,
        }
        cluster = Cluster(folder, environment, web_port)
        # It also creates Dagster's tables, before all others would at once.
        limit = cluster.start("dagster", "instance", "concurrency", "set", "refresh", str(most_at_once), name="limit")
        assert limit.wait() == 0, (folder / "limit.txt").read_text()
        module = ("--module-name", "dagster_project.definitions", "--location-name", "logektor")
        workspace = ("--workspace", str(folder / "workspace.yaml"))
        web = ("--host", "127.0.0.1", "--port", str(web_port))
        started = []
        try:
            code = ("api", "grpc", *module, "--host", "127.0.0.1", "--port", str(code_port))
            started.append(cluster.start("dagster", *code, name="code"))
            until(lambda: listens(code_port), "the code server")
            started.append(cluster.start("dagster_webserver", *workspace, *web, name="web"))
            until(lambda: _is_loaded(cluster), "the webserver with the project")
            # As a person does before a large backfill: it would ask for the days that are half done.
            cluster.stop_sensor("refresh")
            started.append(cluster.start("dagster._daemon", "run", *workspace, name="daemon"))
            yield cluster
        finally:
            for process in (*cluster.workers.values(), *started):
                stop(process)


def _is_loaded(cluster: Cluster) -> bool:
    with suppress(httpx.TransportError):
        return bool(cluster.ask(_LOADED).get("nodes"))
    return False
