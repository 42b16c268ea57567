"""The run history stays small, and Dagster still knows which days are built."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import write_instance
from dagster_project.run_history import delete_old_runs
from tests.dagster_project.home import Home
from tests.reports.rows import DAY

NOW = datetime.now(UTC)
TABLES = [dg.AssetKey("events"), dg.AssetKey("traffic")]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with an instance on disk, as `up` makes it."""
    folder = write_instance(tmp_path).parent
    return Home(tmp_path, dg.DagsterInstance.from_config(str(folder)))


def run_ids(home: Home) -> set[str]:
    return {run.run_id for run in home.instance.get_runs()}


def refresh(home: Home, tags: dict[str, str]) -> str:
    home.landing.land({})
    home.instance.add_dynamic_partitions("day", [DAY.isoformat()])
    request = dg.RunRequest(tags={"dagster/partition": DAY.isoformat(), **tags})
    return home.run(request, "events").dagster_run.run_id


def test_refreshes_go_after_a_day_and_the_last_that_built_a_day_stays(home: Home) -> None:
    runs = [refresh(home, {}) for _ in range(3)]
    assert delete_old_runs(home.instance, TABLES, NOW + timedelta(hours=23)) == 0
    assert delete_old_runs(home.instance, TABLES, NOW + timedelta(hours=25)) == 2
    assert run_ids(home) == {runs[-1]}
    assert home.instance.get_materialized_partitions(dg.AssetKey("events")) == {DAY.isoformat()}
    assert delete_old_runs(home.instance, TABLES, NOW + timedelta(days=400)) == 0
    assert not list(home.folder.glob(f"dagster/storage/{runs[0]}/**/*.err"))


def test_check_results_go_with_their_runs(home: Home) -> None:
    for _ in range(3):
        refresh(home, {})
    check = dg.AssetCheckKey(dg.AssetKey("events"), "key_is_unique")
    delete_old_runs(home.instance, TABLES, NOW + timedelta(hours=25))
    kept = home.instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    assert {execution.run_id for execution in kept} == run_ids(home)


def test_what_failed_is_kept_for_a_week_and_what_runs_for_ever(home: Home) -> None:
    def run(status: dg.DagsterRunStatus) -> str:
        job = home.definitions.resolve_implicit_global_asset_job_def()
        return home.instance.create_run_for_job(job, status=status, tags={"dagster/sensor_name": "refresh"}).run_id

    failed, running = run(dg.DagsterRunStatus.FAILURE), run(dg.DagsterRunStatus.STARTED)
    delete_old_runs(home.instance, TABLES, NOW + timedelta(days=6))
    assert run_ids(home) == {failed, running}
    delete_old_runs(home.instance, TABLES, NOW + timedelta(days=8))
    assert run_ids(home) == {running}
