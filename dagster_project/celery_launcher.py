"""Runs as tasks of Celery workers, on any machine; a worker that is gone is noticed."""

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

ANSWER_SECONDS = 10.0
"""So long a worker may take to say that it still has a run."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Hands runs to Celery, and asks the workers themselves which of them they still have.

    What Celery remembers of a task stays "started" for ever where its worker was killed.
    """

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """What Dagster's run monitoring asks of a run that has begun."""
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task is None:
            # It is noted just after the task was sent, and a worker may be quicker.
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if self.celery.AsyncResult(task).ready():
            return super().check_run_worker_health(run)
        if self._is_held(task):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "No worker has the run any more.")

    def terminate(self, run_id: str) -> bool:
        """Ends a run. Run monitoring calls it canceled when it has not ended in time."""
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            return False
        # Or it would count as lost, and be tried again.
        self._instance.report_run_canceling(run)
        return super().terminate(run_id)

    def _is_held(self, task: str) -> bool:
        """Whether a worker says that it has a task: the one that began it, or any where Celery has forgotten which."""
        began = self.celery.AsyncResult(task).info
        worker = began.get("hostname") if isinstance(began, dict) else None
        asked = self.celery.control.inspect(worker and [worker], timeout=ANSWER_SECONDS)
        return any(task in tasks for tasks in (asked.query_task(task) or {}).values())
