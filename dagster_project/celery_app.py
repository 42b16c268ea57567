"""What a worker runs: `celery -A dagster_project.celery_app worker`. Broker and all else are those of dagster.yaml."""

import dagster as dg
from dagster_celery.tasks import create_execute_job_task

from dagster_project.celery_launcher import WatchedCeleryRunLauncher


def _launcher() -> WatchedCeleryRunLauncher:
    with dg.DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, WatchedCeleryRunLauncher):
            raise SystemExit("DAGSTER_HOME's dagster.yaml names no WatchedCeleryRunLauncher: see deploy/dagster.")
        return launcher


app = _launcher().celery
create_execute_job_task(app)
