"""The files of deploy/dagster are what Dagster takes, and say the same but for who executes runs."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped] # Dagster brings it, without types
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_k8s import K8sRunLauncher

from dagster_project import celery_launcher
from dagster_project.celery_launcher import WatchedCeleryRunLauncher
from dagster_project.instance import write_instance

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "dagster"
FILES: dict[str, type[WatchedCeleryRunLauncher] | type[K8sRunLauncher]] = {
    "dagster.yaml": WatchedCeleryRunLauncher,
    "dagster.kubernetes.yaml": K8sRunLauncher,
}


def settings(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / file).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("file", FILES)
def test_dagster_takes_the_file(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_POSTGRES_URL", "DAGSTER_REDIS_URL"):
        monkeypatch.setenv(name, "memory://")
    read, _ = dagster_instance_config(str(DEPLOY), file)
    launcher = settings(file)["run_launcher"]
    assert launcher["class"] == FILES[file].__name__
    assert read["run_launcher"] == launcher
    checked = validate_config(FILES[file].config_type(), launcher["config"])
    assert checked.success, checked.errors


def test_the_files_differ_in_who_executes_runs() -> None:
    celery, kubernetes = (settings(file) for file in FILES)
    assert {**celery, "run_launcher": None} == {**kubernetes, "run_launcher": None}


def test_a_cluster_forgets_and_limits_as_one_machine_does(tmp_path: Path) -> None:
    of_one_machine = yaml.safe_load(write_instance(tmp_path).read_text(encoding="utf-8"))
    of_a_cluster = settings("dagster.yaml")
    for key in ("retention", "telemetry", "nux", "run_queue"):
        assert of_a_cluster[key] == of_one_machine[key]
    assert of_a_cluster["concurrency"]["pools"] == of_one_machine["concurrency"]["pools"]


class Workers:
    """What Celery knows of a task, and what its workers say."""

    def __init__(self, known: object, ready: bool, held: dict[str, list[str]]) -> None:
        self.info, self._ready, self._held = known, ready, held
        self.state = "SUCCESS" if ready else "STARTED"
        self.control = self
        self.asked: list[str] | None = None

    def AsyncResult(self, task: str) -> "Workers":  # noqa: N802 - Celery's name
        return self

    def ready(self) -> bool:
        return self._ready

    def inspect(self, destination: list[str] | None, timeout: float) -> "Workers":
        assert timeout == celery_launcher.ANSWER_SECONDS
        self.asked = destination
        return self

    def query_task(self, task: str) -> dict[str, dict[str, object]] | None:
        answers: dict[str, dict[str, object]] = {
            worker: {each: [] for each in tasks if each == task}
            for worker, tasks in self._held.items()
            if self.asked is None or worker in self.asked
        }
        return answers or None


def health(workers: Workers, **tags: str) -> str:
    launcher = WatchedCeleryRunLauncher(default_queue="dagster", broker="memory://", backend="cache+memory://")
    launcher.celery = workers
    return launcher.check_run_worker_health(dg.DagsterRun("job", tags=tags)).status.name


TASK = {DAGSTER_CELERY_TASK_ID_TAG: "task"}
BEGAN = {"hostname": "first@host", "pid": 7}


@pytest.mark.parametrize(
    ("known", "held", "expected"),
    [
        (BEGAN, {"first@host": ["task"]}, "RUNNING"),
        (BEGAN, {"first@host": []}, "NOT_FOUND"),
        (BEGAN, {"second@host": ["other"]}, "NOT_FOUND"),
        (BEGAN, {}, "NOT_FOUND"),
        # Redis was emptied: whoever has it may say so.
        (None, {"second@host": ["task"]}, "RUNNING"),
        (None, {"second@host": ["other"]}, "NOT_FOUND"),
    ],
)
def test_a_run_is_lost_when_no_worker_says_that_it_has_it(
    known: object, held: dict[str, list[str]], expected: str
) -> None:
    assert health(Workers(known, False, held), **TASK) == expected


def test_a_run_that_has_just_ended_is_not_lost() -> None:
    assert health(Workers(0, True, {}), **TASK) == "SUCCESS"


def test_a_run_whose_task_is_not_noted_yet_is_not_lost() -> None:
    assert health(Workers(None, False, {})) == "RUNNING"
