"""Every job of the project runs on an instance on disk, on one home after the other job."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dagster_project.definitions import defs
from dagster_project.instance import write_instance
from lake.location import Lake
from lake.raw_schema import EVENT
from lake.retention import expire
from lake.table_version import open_version
from pipelines.refresh.behind import days_behind
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.traffic import TRAFFIC
from sites import register_site
from tests.refresh.landing import Landing

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
DAYS = {"first_day": YESTERDAY.isoformat(), "last_day": TODAY.isoformat()}


class Project:
    """The project's jobs on a home with events of yesterday and today."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.lake = Lake(str(folder / "lake"))
        self.landing = Landing(self.lake)
        self.instance = instance
        self.definitions = defs()
        for day in (YESTERDAY, TODAY):
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            at = {"occurred_at": noon, "received_at": noon, "landed_at": noon, "landed_date": day}
            self.landing.land({"visitor_id": "ann", **at}, {"visitor_id": "bob", **at})

    def run(
        self, job: str, op: str = "", config: Mapping[str, object] | None = None, *, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        run_config = {"ops": {op: {"config": dict(config)}}} if config is not None else None
        return self.definitions.resolve_job_def(job).execute_in_process(
            run_config, instance=self.instance, raise_on_error=raise_on_error
        )

    def events(self) -> dict[date, int]:
        return dict(open_version(self.lake, TRAFFIC.spec).scan().select("date", "events").collect().iter_rows())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("home")
    home = write_instance(folder).parent
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.from_config(str(home)) as instance:
        patch.setenv("LOGEKTOR_HOME", str(folder))
        yield Project(folder, instance)


def shown(result: dg.ExecuteInProcessResult) -> Mapping[str, object]:
    """The metadata of a job's one output."""
    (output,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT]
    return {name: each.value for name, each in output.step_output_data.metadata.items()}


def test_refresh_brings_all_tables_up_to_date_and_dagster_knows(project: Project) -> None:
    result = project.run("refresh")
    assert shown(result) == {"days": 2}
    assert project.events() == {YESTERDAY: 2, TODAY: 2}
    assert days_behind(project.lake, REPORTS, ()) == set()
    assert project.instance.get_materialized_partitions(dg.AssetKey("traffic")) == set(DAYS.values())
    assert set(project.instance.get_dynamic_partitions("day")) == set(DAYS.values())


def test_rebuild_makes_days_anew(project: Project) -> None:
    before = open_version(project.lake, TRAFFIC.spec).number
    assert shown(project.run("rebuild", "rebuild_tables", DAYS)) == {"days": 2}
    assert open_version(project.lake, TRAFFIC.spec).number > before
    assert project.events() == {YESTERDAY: 2, TODAY: 2}


def test_export_writes_plain_files(project: Project) -> None:
    result = project.run("export", "write_parquet", {"table": "traffic", **DAYS})
    assert shown(result)["files"] == 2
    assert pl.read_parquet(project.folder / "exports/traffic/*.parquet")["events"].sum() == 4
    failed = project.run("export", "write_parquet", {"table": "trafic", **DAYS}, raise_on_error=False)
    assert "There is no table 'trafic'" in str(failed.all_events)


@pytest.mark.parametrize("job", ["check_raw", "compare_with_rebuild"])
def test_checks_pass_by_themselves(project: Project, job: str) -> None:
    evaluations = project.run(job).get_asset_check_evaluations()
    assert len(evaluations) == {"check_raw": 2, "compare_with_rebuild": len(REPORTS)}[job]
    assert all(evaluation.passed for evaluation in evaluations)


@pytest.mark.parametrize("job", ["compact", "vacuum", "forget_old_runs", "expire", "count_dead_letters"])
def test_upkeep_runs_with_what_the_settings_say(project: Project, job: str) -> None:
    assert project.run(job).success
    assert project.events() == {YESTERDAY: 2, TODAY: 2}


def test_replay_sends_what_there_is(project: Project) -> None:
    register_site(project.folder / "sites.toml", "example.com")
    assert shown(project.run("replay_dead_letters", "send_again", {"reason": "invalid"})) == {
        "sent": 0,
        "still invalid": {},
    }


def test_erase_takes_a_visitor_out(project: Project) -> None:
    (project.folder / "erasures").mkdir()
    (project.folder / "erasures" / "1").write_text('{"visitor": "ann"}')
    assert project.run("erase", "erase_everywhere", {"request": "1"}).success
    assert project.events() == {YESTERDAY: 1, TODAY: 1}


def test_a_rebuild_of_days_whose_raw_events_are_gone_fails_with_its_sentence(project: Project) -> None:
    expire(project.lake, EVENT, TODAY, taken_in={("cluster/topic", 0): 4}, now=datetime.now(UTC))
    result = project.run("rebuild", "rebuild_tables", DAYS, raise_on_error=False)
    assert not result.success
    assert f"{YESTERDAY}, {TODAY} can't be made anew" in str(result.all_events)
    assert project.events() == {YESTERDAY: 1, TODAY: 1}


def test_no_job_is_without_a_test(project: Project) -> None:
    run = {run.job_name for run in project.instance.get_runs()}
    jobs = {name for name in project.definitions.get_repository_def().job_names if not name.startswith("__")}
    assert run == jobs
