"""Checks that fail say what is wrong and where, in numbers, and never whose rows they are."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from dagster_project.defs.events.checks import no_future_days
from dagster_project.defs.raw.checks import share_of_dead_letters
from dagster_project.defs.reports.checks import sampled_day
from dagster_project.failed_days import look_again
from dagster_project.table_asset import BuildConfig
from lake.events_table import EventsTable
from lake.table_version import open_version
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.pages import PAGES
from pipelines.reports.sessions import SESSIONS
from tests.dagster_project.home import Home
from tests.reports.rows import DAY

TODAY = date(2026, 11, 24)


def run(home: Home) -> dg.ExecuteInProcessResult:
    home.instance.add_dynamic_partitions("day", [DAY.isoformat()])
    only_new = dg.RunConfig(ops={"events": BuildConfig(rebuild=False)})
    request = dg.RunRequest(run_config=only_new, tags={"dagster/partition": DAY.isoformat()})
    return home.run(request, raise_on_error=False)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.asset_check_key.to_user_string(): each for each in result.get_asset_check_evaluations()}


def test_repeated_keys_are_told_by_site_and_day_with_a_query_that_finds_them(home: Home) -> None:
    home.landing.land({"event_id": "of ann", "visitor_id": "ann"})
    run(home)
    table = EventsTable(home.lake, EVENTS)
    rows = table.read().scan().collect()
    table.replace_days(table.read(), [DAY], pl.concat([rows, rows]))
    found = evaluations(run(home))["events:key_is_unique"]
    assert not found.passed
    assert found.description == "1 keys name more than one row."
    where = found.metadata["where"]
    assert isinstance(where, dg.TableMetadataValue)
    assert [record.data for record in where.records] == [{"site": "example.com", "day": "2026-11-20", "count": 1}]
    assert found.metadata["failed days"].value == ["2026-11-20"]
    assert "SELECT site, event_date, event_id, count(*) AS rows" in str(found.metadata["which"].value)
    assert "ann" not in str(found)


def test_lost_events_stop_what_is_below(home: Home) -> None:
    home.landing.land({"event_id": "a"}, {"event_id": "b"})
    run(home)
    table = EventsTable(home.lake, EVENTS)
    table.replace_days(table.read(), [DAY], table.read().scan().filter(pl.col("event_id") == "a").collect())
    before = open_version(home.lake, SESSIONS.spec).number
    result = run(home)
    assert not result.success
    assert evaluations(result)["events:adds_up_with_raw_events"].description == (
        "1 landed events are missing, 0 invented."
    )
    assert open_version(home.lake, SESSIONS.spec).number == before


def test_a_day_in_the_future_is_none_that_has_begun_anywhere(home: Home) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    tomorrow, after_it = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    assert no_future_days(home.resource, [TODAY, tomorrow], noon).passed
    found = no_future_days(home.resource, [TODAY, after_it], noon)
    assert not found.passed
    assert found.description == "1 days are in the future."
    assert not no_future_days(home.resource, [tomorrow], noon - timedelta(hours=3)).passed


@pytest.mark.parametrize(("dead_letters", "events", "passed"), [(19, 0, True), (20, 380, True), (21, 380, False)])
def test_the_share_of_dead_letters_warns_past_its_bound(
    home: Home, dead_letters: int, events: int, passed: bool
) -> None:
    letters = [{"kind": "dead_letter", "landed_date": TODAY} for _ in range(dead_letters)]
    of_yesterday = [{"landed_date": TODAY - timedelta(days=1)} for _ in range(events)]
    long_ago = [{"landed_date": TODAY - timedelta(days=2)} for _ in range(1_000)]
    home.landing.land(*letters, *of_yesterday, *long_ago)
    found = share_of_dead_letters(home.lake, TODAY, 0.05)
    assert found.passed is passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    if not passed:
        assert (
            found.description
            == "5.2% of what was landed since yesterday is no event: `logektor dead-letters` says why."
        )


def test_a_stored_day_that_no_rebuild_would_make_is_told(home: Home) -> None:
    home.landing.land({"visitor_id": "ann", "url": "https://example.com/of-ann"})
    run(home)
    handle = open_version(home.lake, PAGES.spec).handle
    assert handle is not None
    handle.update({"pageviews": "pageviews + 1"})
    check = dg.AssetCheckKey(dg.AssetKey("pages"), "equals_rebuild")
    job = dg.define_asset_job("compare", dg.AssetSelection.checks(check))
    definitions = dg.Definitions.merge(home.definitions, dg.Definitions(jobs=[job]))
    compared = definitions.resolve_job_def("compare").execute_in_process(instance=home.instance)
    found = evaluations(compared)["pages:equals_rebuild"]
    assert not found.passed
    assert found.metadata["columns it changes"].value == "pageviews"
    assert found.metadata["rows a rebuild changes"].value == 1
    assert "of-ann" not in str(found)


def test_each_day_another_day_is_compared_and_the_same_one_all_day() -> None:
    days = [DAY + timedelta(days=number) for number in range(5)]
    assert sampled_day([], TODAY) is None
    assert sampled_day(days, TODAY) == sampled_day(list(reversed(days)), TODAY)
    assert {sampled_day(days, TODAY + timedelta(days=number)) for number in range(5)} == set(days)


def test_a_day_that_failed_stays_in_sight_until_it_passes_and_stops_no_other_day() -> None:
    check = dg.AssetCheckKey(dg.AssetKey("events"), "key_is_unique")
    later = DAY + timedelta(days=1)
    broken = {DAY}

    def look(days: Sequence[date]) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=not broken.intersection(days))

    with dg.DagsterInstance.ephemeral() as instance:

        def run_of(day: date) -> tuple[bool, dg.AssetCheckSeverity]:
            result = look_again(instance, check, [day], look)
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=check.asset_key,
                    check_name=check.name,
                    passed=result.passed,
                    metadata=result.metadata,
                    severity=result.severity,
                )
            )
            return result.passed, result.severity

        assert run_of(later) == (True, dg.AssetCheckSeverity.ERROR)
        assert run_of(DAY) == (False, dg.AssetCheckSeverity.ERROR)
        assert run_of(later) == (False, dg.AssetCheckSeverity.WARN)
        assert run_of(later) == (False, dg.AssetCheckSeverity.WARN)
        broken.add(later)
        assert run_of(later) == (False, dg.AssetCheckSeverity.ERROR)
        broken.clear()
        assert run_of(later) == (True, dg.AssetCheckSeverity.ERROR)
