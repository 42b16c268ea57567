"""The jobs that keep tables fast and the history small."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from deltalake import DeltaTable

from dagster_project.definitions import defs
from dagster_project.defs.upkeep.jobs import forget_old_runs_job
from dagster_project.defs.upkeep.tables import all_tables
from lake.audit import audit
from lake.removals import gap, record
from lake.replays import declare_replays, record_replays
from pipelines.refresh.behind import days_behind
from pipelines.refresh.events import take_in
from pipelines.reports.all_reports import REPORTS
from tests.dagster_project.home import Home

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGEKTOR_HOME", str(home.folder))


def run_as_scheduled(home: Home, schedule: str, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    definitions = defs()
    found = definitions.resolve_schedule_def(schedule)
    (request,) = found.evaluate_tick(dg.build_schedule_context(home.instance)).run_requests or ()
    job = definitions.resolve_job_def(found.job_name)
    return job.execute_in_process(request.run_config or None, instance=home.instance, raise_on_error=raise_on_error)


def build_all(home: Home) -> None:
    (request,) = home.look().run_requests or ()  # type: ignore[union-attr]  # it asks for a run
    home.run(request)


def active_files(home: Home, table: str) -> int:
    return len(DeltaTable(home.lake.table_uri(table)).file_uris())


def test_many_small_files_become_few_and_no_day_is_behind(home: Home) -> None:
    for _ in range(60):
        home.landing.land({})
    build_all(home)
    assert run_as_scheduled(home, "compact_every_10_minutes").success
    assert active_files(home, "landed") == 1
    assert days_behind(home.lake, REPORTS, []) == set()


def test_once_a_day_every_table_has_a_file_per_day_and_nothing_else_after_the_vacuum(home: Home) -> None:
    declare_replays(home.lake)
    for offset in range(3):
        home.landing.land({})
        record(home.lake, gap(("cluster/other", 0), offset, offset + 1, NOW))
        record_replays(home.lake, [("cluster/topic", 0, offset, NOW.date())], NOW)
    build_all(home)
    assert {folder.name for folder in (home.folder / "lake").iterdir()} == set(all_tables())
    assert run_as_scheduled(home, "compact_every_10_minutes").success
    assert active_files(home, "replays") == 3
    assert run_as_scheduled(home, "compact_daily").success
    for table in all_tables():
        assert active_files(home, table) <= 1, table
        DeltaTable(home.lake.table_uri(table)).alter.set_table_properties(
            {"delta.deletedFileRetentionDuration": "interval 0 seconds"}
        )
    assert run_as_scheduled(home, "vacuum_hourly").success
    for table in all_tables():
        kept = [file for file in (home.folder / "lake" / table).rglob("*.parquet") if "_delta_log" not in file.parts]
        assert len(kept) == active_files(home, table), table
    assert audit(home.lake).exact
    assert days_behind(home.lake, REPORTS, []) == set()


def test_a_table_that_can_not_be_kept_fails_the_run_in_a_sentence_after_the_others_had_their_turn(home: Home) -> None:
    for _ in range(3):
        home.landing.land({})
        take_in(home.lake, {})
    build_all(home)
    assert active_files(home, "events") == 3
    (home.folder / "lake" / "landed" / "_delta_log" / f"{1:020}.json").write_text("no commit")
    result = run_as_scheduled(home, "compact_daily", raise_on_error=False)
    assert not result.success
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    assert "landed could not be compacted" in str(failed.step_failure_data.error)
    assert active_files(home, "events") == 1


def test_a_lake_without_tables_needs_no_upkeep(home: Home) -> None:
    assert run_as_scheduled(home, "compact_daily").success
    assert run_as_scheduled(home, "vacuum_hourly").success


def test_a_young_history_is_left_alone(home: Home) -> None:
    assert forget_old_runs_job.execute_in_process(instance=home.instance).success
