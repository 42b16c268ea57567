"""From landed events to reports as the sensor and the assets do it."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dagster_project.days import DAYS
from dagster_project.defs.reports.sensors import MAX_RUNS, PAUSE, PAUSE_AFTER_FAILURES
from dagster_project.lake_retry import RETRIES
from dagster_project.table_asset import BuildConfig
from lake.errors import LakeAway
from lake.events_table import EventsTable
from lake.report_table import ReportTable
from lake.table_version import Origin, TableVersion, open_version
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from tests.dagster_project.home import Home
from tests.reports.rows import DAY, NOON, SITE

NEXT_DAY = DAY + timedelta(days=1)


def on(day: date, **values: object) -> dict[str, object]:
    """A landed page view of a visitor at noon of a day."""
    return {"occurred_at": NOON + (day - DAY), "visitor_id": "ann", **values}


def requests(said: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    assert isinstance(said, dg.SensorResult), said
    return list(said.run_requests or ())


def days_of(request: dg.RunRequest) -> tuple[str, str]:
    return request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"]


def events_in_traffic(home: Home) -> dict[date, int]:
    return dict(open_version(home.lake, TRAFFIC.spec).scan().select("date", "events").collect().iter_rows())


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("PAUSE", "PAUSE_AFTER_FAILURES"):
        monkeypatch.setattr(f"dagster_project.defs.reports.sensors.{pause}", timedelta())


def test_nothing_landed_asks_for_no_run(home: Home) -> None:
    said = home.look()
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "All tables have everything that was landed."


@pytest.mark.usefixtures("no_pause")
def test_one_run_brings_landed_events_into_all_reports(home: Home) -> None:
    home.landing.land(on(DAY), on(NEXT_DAY), on(NEXT_DAY))
    (request,) = requests(home.look())
    assert days_of(request) == ("2026-11-20", "2026-11-21")
    result = home.run(request)
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert events_in_traffic(home) == {DAY: 1, NEXT_DAY: 2}
    assert isinstance(home.look(), dg.SkipReason)
    assert {file.name for file in home.folder.glob("reports_parquet/*/*.parquet")} == {"2026-11.parquet"}


@pytest.mark.usefixtures("no_pause")
def test_each_day_shows_its_rows_and_no_row_of_a_table(home: Home) -> None:
    home.landing.land(on(DAY), on(NEXT_DAY), on(NEXT_DAY))
    result = home.run(requests(home.look())[0])
    shown = {
        event.partition: event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("events")
    }
    assert shown["2026-11-20"]["dagster/partition_row_count"].value == 1
    assert shown["2026-11-21"]["dagster/partition_row_count"].value == 2
    assert "ann" not in str([event.materialization.metadata for event in result.get_asset_materialization_events()])


@pytest.mark.usefixtures("no_pause")
def test_a_late_event_of_2015_asks_for_its_day_alone(home: Home) -> None:
    home.landing.land(on(DAY), on(NEXT_DAY))
    home.run(requests(home.look())[0])
    before = open_version(home.lake, TRAFFIC.spec)
    home.landing.land(on(date(2015, 5, 17)))
    asked = requests(home.look())
    # The day of landing is asked for too: of it, `quality` has changed.
    assert [days_of(request) for request in asked] == [("2015-05-17", "2015-05-17"), ("2026-11-20", "2026-11-20")]
    for request in asked:
        home.run(request)
    after = open_version(home.lake, TRAFFIC.spec)
    assert set(events_in_traffic(home)) == {DAY, NEXT_DAY, date(2015, 5, 17)}
    assert [after.files(day) for day in (DAY, NEXT_DAY)] == [before.files(day) for day in (DAY, NEXT_DAY)]


@pytest.mark.usefixtures("no_pause")
def test_a_duplicate_is_taken_in_and_changes_no_report(home: Home) -> None:
    home.landing.land(on(DAY, event_id="a"))
    home.run(requests(home.look())[0])
    before = open_version(home.lake, TRAFFIC.spec).number
    home.landing.land(on(DAY, event_id="a"))
    home.run(requests(home.look())[0])
    assert open_version(home.lake, TRAFFIC.spec).number == before
    assert isinstance(home.look(), dg.SkipReason)


@pytest.mark.usefixtures("no_pause")
def test_days_that_turn_up_during_a_run_come_with_the_next(home: Home) -> None:
    home.landing.land(on(DAY))
    (request,) = requests(home.look())
    home.landing.land(on(NEXT_DAY))
    home.run(request)
    assert events_in_traffic(home) == {DAY: 1}
    (following,) = requests(home.look())
    home.run(following)
    assert events_in_traffic(home) == {DAY: 1, NEXT_DAY: 1}


@pytest.mark.usefixtures("no_pause")
def test_many_days_apart_are_asked_for_a_few_at_a_time(home: Home) -> None:
    home.landing.land(*(on(DAY + timedelta(days=number)) for number in range(20)))
    home.look()
    take_in(home.lake, {})
    for number in range(1, 20, 2):
        for report in REPORTS:
            build(home.lake, report, [DAY + timedelta(days=number)])
    asked = [days_of(request) for request in requests(home.look())]
    assert asked == [(day, day) for day in ("2026-12-08", "2026-12-06", "2026-12-04", "2026-12-02")]
    assert len(asked) == MAX_RUNS


def test_a_refresh_is_not_asked_for_while_one_runs_or_just_began(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.landing.land(on(DAY))
    (request,) = requests(home.look())
    home.run(request)
    home.landing.land(on(DAY))
    said = home.look()
    assert isinstance(said, dg.SkipReason)
    assert f"less than {PAUSE.total_seconds():.0f} seconds ago" in str(said.skip_message)
    monkeypatch.setattr("dagster_project.defs.reports.sensors.PAUSE", timedelta())
    assert requests(home.look())
    running = home.instance.create_run_for_job(
        home.definitions.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/sensor_name": "refresh"},
    )
    said = home.look()
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == f"Run {running.run_id[:8]} is refreshing tables."


def test_after_two_failures_in_a_row_the_pause_is_longer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.defs.reports.sensors.PAUSE", timedelta())
    home.landing.land(on(DAY))

    def broken(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(EventsTable, "append", broken)
        for _ in range(2):
            (request,) = requests(home.look())
            assert not home.run(request, raise_on_error=False).success
    said = home.look()
    assert isinstance(said, dg.SkipReason)
    assert f"{PAUSE_AFTER_FAILURES.total_seconds():.0f} seconds" in str(said.skip_message)


@pytest.mark.usefixtures("no_pause")
def test_a_refresh_that_fails_half_way_leaves_whole_days_and_is_finished_by_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.landing.land(on(DAY), on(NEXT_DAY))
    (request,) = requests(home.look())
    replace = ReportTable.replace

    def replace_sessions(
        table: ReportTable, seen: TableVersion, origins: Mapping[date, Origin], rows: pl.DataFrame
    ) -> None:
        if seen.spec.name != SESSIONS.name:
            raise OSError("No space left on device")
        replace(table, seen, origins, rows)

    with monkeypatch.context() as patch:
        patch.setattr(ReportTable, "replace", replace_sessions)
        assert not home.run(request, raise_on_error=False).success
    assert events_in_traffic(home) == {}
    assert open_version(home.lake, SESSIONS.spec).days == {DAY, NEXT_DAY}
    (again,) = requests(home.look())
    assert days_of(again) == ("2026-11-20", "2026-11-21")
    home.run(again)
    assert events_in_traffic(home) == {DAY: 1, NEXT_DAY: 1}


@pytest.mark.usefixtures("no_pause")
def test_a_backfill_makes_a_day_anew_from_what_was_landed(home: Home) -> None:
    home.landing.land(on(DAY), on(DAY))
    home.run(requests(home.look())[0])
    table = EventsTable(home.lake, EVENTS)
    table.replace_days(table.read(), [DAY], table.read().scan([DAY]).head(1).collect())
    assert BuildConfig().rebuild
    home.run(dg.RunRequest(tags={"dagster/partition": "2026-11-20"}))
    assert events_in_traffic(home) == {DAY: 2}


@pytest.mark.usefixtures("no_pause")
def test_a_days_time_zone_is_that_of_its_site(home: Home) -> None:
    (home.folder / "sites.toml").write_text(
        f'[[site]]\ndomain = "{SITE}"\nwrite_key = "pk_of_it"\nserver_key = "sk_of_it"\n'
        'time_zone = "Pacific/Auckland"\n'
    )
    home.landing.land(on(DAY))
    (request,) = requests(home.look())
    assert days_of(request) == ("2026-11-20", "2026-11-21")
    home.run(request)
    assert events_in_traffic(home) == {NEXT_DAY: 1}


@pytest.mark.usefixtures("no_pause")
def test_reports_are_not_built_from_events_with_a_repeated_key(home: Home) -> None:
    home.landing.land(on(DAY))
    (request,) = requests(home.look())
    take_in(home.lake, {})
    table = EventsTable(home.lake, EVENTS)
    row = table.read().scan().collect()
    table.replace_days(table.read(), [DAY], pl.concat([row, row]))
    result = home.run(request, raise_on_error=False)
    failed = {check.asset_check_key for check in result.get_asset_check_evaluations() if not check.passed}
    assert dg.AssetCheckKey(dg.AssetKey("events"), "key_is_unique") in failed
    assert events_in_traffic(home) == {}
    assert open_version(home.lake, SESSIONS.spec).number == -1


@pytest.mark.usefixtures("no_pause")
def test_a_lake_that_is_away_for_a_moment_is_tried_again_by_the_same_run(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.lake_retry.WAIT_SECONDS", 0.0)
    home.landing.land(on(DAY), on(NEXT_DAY))
    (request,) = requests(home.look())
    away: dict[type[object], list[bool]] = {EventsTable: [True], ReportTable: [True]}

    def once_away(owner: type[object], method: str) -> None:
        written = getattr(owner, method)

        def write(*arguments: object, **named: object) -> object:
            if away[owner] and away[owner].pop(0):
                raise LakeAway("the disk was away")
            return written(*arguments, **named)

        monkeypatch.setattr(owner, method, write)

    once_away(EventsTable, "append")
    once_away(ReportTable, "replace")
    result = home.run(request)
    assert result.success
    retries = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert len(retries) == 2
    assert retries[0].step_key == "events"
    assert events_in_traffic(home) == {DAY: 1, NEXT_DAY: 1}
    assert isinstance(home.look(), dg.SkipReason)


@pytest.mark.usefixtures("no_pause")
def test_a_lake_that_stays_away_ends_the_run_and_leaves_no_half_written_day(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.lake_retry.WAIT_SECONDS", 0.0)
    home.landing.land(on(DAY))
    (request,) = requests(home.look())

    def away(*_: object, **__: object) -> None:
        raise LakeAway("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(EventsTable, "append", away)
        result = home.run(request, raise_on_error=False)
    assert not result.success
    assert len([e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_RESTARTED]) == RETRIES
    assert open_version(home.lake, EVENTS).days == frozenset()
    home.run(requests(home.look())[0])
    assert events_in_traffic(home) == {DAY: 1}


@pytest.mark.usefixtures("no_pause")
def test_a_report_links_to_its_rows_of_the_day(home: Home) -> None:
    home.landing.land(on(DAY))
    result = home.run(requests(home.look())[0])
    metadata = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert metadata["traffic"]["read it"] == dg.MetadataValue.url(
        "http://query.example/api/reports/traffic?site=example.com&from=2026-11-20&to=2026-11-20"
    )
    assert "read it" not in metadata["sessions"]
    assert metadata["traffic"]["rows of 30 days"] == dg.MetadataValue.text("·" * 29 + "█ up to 1")
    assert metadata["traffic"]["source revision"] == dg.MetadataValue.int(1)


@pytest.mark.usefixtures("no_pause")
def test_days_of_another_definition_are_asked_for_after_what_is_new(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [DAY + timedelta(days=number) for number in range(3)]
    home.landing.land(*(on(day) for day in days))
    home.run(requests(home.look())[0])
    monkeypatch.setattr("pipelines.refresh.events_definition._LIBRARIES", ("polars",))
    monkeypatch.setattr("dagster_project.defs.reports.sensors.OUTDATED_EVENTS", 2)
    home.landing.land(on(days[0]))
    asked = requests(home.look())
    assert [days_of(request) for request in asked] == [("2026-11-20", "2026-11-20"), ("2026-11-21", "2026-11-22")]
    for request in asked:
        assert home.run(request).success
    # The second run made rows anew that were landed on the first day.
    (last,) = requests(home.look())
    assert days_of(last) == ("2026-11-20", "2026-11-20")
    home.run(last)
    assert isinstance(home.look(), dg.SkipReason)
    assert events_in_traffic(home) == {days[0]: 2, days[1]: 1, days[2]: 1}


@pytest.mark.usefixtures("no_pause")
def test_of_two_runs_of_a_day_at_once_both_end_well_and_the_day_is_right(home: Home) -> None:
    home.landing.land(*(on(DAY) for _ in range(50)))
    (request,) = requests(home.look())
    # As the launcher does: each run is a process of its own.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert all(pool.map(run_elsewhere, (home.folder, home.folder), (request, request)))
    assert events_in_traffic(home) == {DAY: 50}
    assert isinstance(home.look(), dg.SkipReason)


def run_elsewhere(folder: Path, request: dg.RunRequest) -> bool:
    """Runs what the sensor asked for, on the home of another process; whether it went well."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(DAYS.name), [DAY.isoformat()])
        return Home(folder, instance).run(request).success
