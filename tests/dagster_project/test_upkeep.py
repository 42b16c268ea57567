"""The jobs that keep tables fast and the history small."""

from deltalake import DeltaTable

from dagster_project.defs.upkeep.jobs import compact_job, forget_old_runs_job
from pipelines.refresh.behind import days_behind
from pipelines.reports.all_reports import REPORTS
from tests.dagster_project.home import Home


def test_many_small_files_become_few_and_no_day_is_behind(home: Home) -> None:
    for _ in range(60):
        home.landing.land({})
    (request,) = home.look().run_requests or ()  # type: ignore[union-attr]  # it asks for a run
    home.run(request)
    assert compact_job.execute_in_process(resources={"lake": home.resource}, instance=home.instance).success
    assert len(DeltaTable(home.lake.table_uri("landed")).file_uris()) == 1
    assert days_behind(home.lake, REPORTS, {}) == set()


def test_a_lake_without_tables_needs_no_upkeep(home: Home) -> None:
    assert compact_job.execute_in_process(resources={"lake": home.resource}, instance=home.instance).success


def test_a_young_history_is_left_alone(home: Home) -> None:
    assert forget_old_runs_job.execute_in_process(instance=home.instance).success
