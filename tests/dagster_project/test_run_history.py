"""The run history stays small, and Dagster still knows which days are built."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events.log import EventLogEntry
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.storage.runs.schema import RunsTable
from sqlalchemy import func, select

from dagster_project.defs.upkeep.jobs import forget_old_runs_job
from dagster_project.instance import write_instance
from dagster_project.run_history import AUTOMATIC, OTHERS, Kept, delete_old_runs
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


@pytest.mark.slow
def test_a_week_of_refreshes_every_minute_stays_small(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes by hours. Of 60 refreshes in each there are 2 here, and of the bounds a thirtieth too."""
    monkeypatch.setattr("dagster_project.run_history.AUTOMATIC", Kept(AUTOMATIC.age, AUTOMATIC.runs // 30))
    monkeypatch.setattr("dagster_project.run_history.OTHERS", Kept(OTHERS.age, OTHERS.runs // 30))
    built = refresh(home, {})
    of_the_built = rows_of_events(home)
    begin = datetime.now(UTC)
    most = 0
    for hour in range(7 * 24):
        now = begin + timedelta(hours=hour)
        for number in range(2):
            remember(home, now, failed=hour % 5 == 0 and number == 0, events=_EVENTS)
        delete_old_runs(home.instance, TABLES, now)
        most = max(most, len(run_ids(home)))
    assert most <= (AUTOMATIC.runs + OTHERS.runs) // 30 + 1
    assert rows_of_events(home) <= of_the_built + most * (_EVENTS + 2)
    assert built in run_ids(home)


_EVENTS = 5


def remember(home: Home, now: datetime, *, failed: bool, events: int) -> None:
    """A run of the sensor as it would be found in the history."""
    status = dg.DagsterRunStatus.FAILURE if failed else dg.DagsterRunStatus.SUCCESS
    run = home.instance.create_run_for_job(forget_old_runs_job, status=status, tags={"dagster/sensor_name": "refresh"})
    storage = home.instance.run_storage
    assert isinstance(storage, SqlRunStorage)
    with storage.connect() as connection:
        created = RunsTable.update().where(RunsTable.c.run_id == run.run_id)
        connection.execute(created.values(create_timestamp=now.replace(tzinfo=None)))
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="refresh")
    home.instance.event_log_storage.store_event_batch(
        [
            EventLogEntry(  # type: ignore[no-untyped-call]  # Dagster's own
                error_info=None,
                level=20,
                user_message="",
                run_id=run.run_id,
                timestamp=now.timestamp(),
                dagster_event=event,
            )
            for _ in range(events)
        ]
    )


def rows_of_events(home: Home) -> int:
    storage = home.instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    with storage.index_connection() as connection:
        return int(connection.execute(select(func.count()).select_from(SqlEventLogStorageTable)).scalar_one())


def test_ticks_are_forgotten_after_days(home: Home) -> None:
    kept = home.instance.get_tick_retention_settings(InstigatorType.SENSOR)
    # Looks of three sensors, four a minute at most, and few of them ask for a run.
    assert kept[TickStatus.SKIPPED] * 24 * 60 * 4 * 3 <= 20_000
    assert max(kept.values()) <= 7
    assert home.instance.get_tick_retention_settings(InstigatorType.SCHEDULE) == kept
