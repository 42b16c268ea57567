"""What was built by another definition is built again, and nothing else is."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lake.events_table import LANDED, taken_in
from lake.location import Lake
from lake.raw_schema import EVENT
from lake.retention import expire
from lake.table_version import open_version
from pipelines.refresh import definition, events_definition
from pipelines.refresh.behind import days_behind, look_behind
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.events_definition import outdated_days
from pipelines.refresh.inputs import Opened
from pipelines.refresh.reports import build, stale_partitions
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic import TRAFFIC
from sites import Site
from tests.refresh.landing import Landing
from tests.reports.rows import DAY, NOON, SITE

NEXT_DAY = DAY + timedelta(days=1)
EVENING = NOON + timedelta(hours=11, minutes=30)
UTC_SITE = Site(SITE, ("pk_of_site",), ("sk_of_site",))
BERLIN_SITE = replace(UTC_SITE, time_zone="Europe/Berlin")
OTHER_SITE = Site("other.org", ("pk_of_other",), ("sk_of_other",), "Pacific/Auckland")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def landing(lake: Lake) -> Landing:
    return Landing(lake)


def refresh(lake: Lake, *sites: Site) -> None:
    """As the sensor and the assets do it."""
    zones = {site.domain: site.time_zone for site in sites}
    days = days_behind(lake, REPORTS, sites)
    take_in(lake, zones)
    rebuild(lake, outdated_days(lake, open_version(lake, EVENTS), zones) & days, zones)
    for report in REPORTS:
        build(lake, report, days, sites=sites)


def stale(lake: Lake) -> dict[str, set[date]]:
    found = {report.name: {*stale_partitions(report, Opened(lake)).all} for report in REPORTS}
    return {name: days for name, days in found.items() if days}


def below(name: str) -> set[str]:
    """The reports that are built from one, or from one that is."""
    found = {name}
    for report in REPORTS:
        if found & {*report.tables}:
            found.add(report.name)
    return found - {name}


@pytest.mark.parametrize("changed", [SESSIONS, TRAFFIC], ids=lambda report: report.name)
def test_another_definition_makes_its_table_and_those_below_it_anew_and_no_other(
    lake: Lake, landing: Landing, changed: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land({"visitor_id": "ann"})
    refresh(lake, UTC_SITE)
    assert stale(lake) == {}
    code_of = definition.code_of

    def other_code(module: str) -> str:
        return code_of(module) + "changed" if module == changed.build.__module__ else code_of(module)

    monkeypatch.setattr("pipelines.refresh.reports.code_of", other_code)
    assert set(stale(lake)) == {changed.name}
    assert look_behind(lake, REPORTS, ()).outdated == {DAY: 1}
    before = {report.name: open_version(lake, report.spec).revisions for report in REPORTS}
    refresh(lake, UTC_SITE)
    after = {report.name: open_version(lake, report.spec).revisions for report in REPORTS}
    assert {name for name in after if after[name] != before[name]} == {changed.name} | below(changed.name)
    assert days_behind(lake, REPORTS, [UTC_SITE]) == set()


def test_other_code_makes_events_anew_and_days_whose_raw_events_expired_are_left_alone(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [DAY + timedelta(days=number) for number in range(3)]
    for day in days:
        landing.land({"occurred_at": NOON + (day - DAY), "landed_date": day})
    refresh(lake)
    before = open_version(lake, EVENTS)
    expire(lake, EVENT, NEXT_DAY, taken_in=taken_in(before), now=datetime(2026, 11, 24, tzinfo=UTC))
    monkeypatch.setattr(events_definition, "_LIBRARIES", ("polars",))
    assert days_behind(lake, REPORTS, ()) == {days[2]}
    refresh(lake)
    after = open_version(lake, EVENTS)
    assert [after.revision(day) - before.revision(day) for day in days] == [0, 0, 1]
    assert days_behind(lake, REPORTS, ()) == set()


def test_another_time_zone_moves_events_to_the_days_they_belong_to(lake: Lake, landing: Landing) -> None:
    landing.land({"occurred_at": EVENING}, {"site": "other.org", "occurred_at": NOON})
    refresh(lake, UTC_SITE)
    assert open_version(lake, EVENTS).days == {DAY}
    assert look_behind(lake, REPORTS, [BERLIN_SITE]).outdated == {DAY: 2}
    refresh(lake, BERLIN_SITE)
    # The new day is known now, and so its reports are behind.
    assert days_behind(lake, REPORTS, [BERLIN_SITE]) == {NEXT_DAY}
    refresh(lake, BERLIN_SITE)
    assert days_behind(lake, REPORTS, [BERLIN_SITE]) == set()
    rows = open_version(lake, EVENTS).scan().select("site", "event_date").collect()
    assert dict(rows.iter_rows()) == {SITE: NEXT_DAY, "other.org": DAY}


def test_another_site_makes_no_day_anew(lake: Lake, landing: Landing) -> None:
    landing.land({})
    refresh(lake, BERLIN_SITE)
    assert days_behind(lake, REPORTS, [BERLIN_SITE, OTHER_SITE]) == set()
    landing.land({"site": "other.org"})
    refresh(lake, BERLIN_SITE, OTHER_SITE)
    assert days_behind(lake, REPORTS, [BERLIN_SITE, OTHER_SITE]) == set()
    assert days_behind(lake, REPORTS, [BERLIN_SITE, replace(OTHER_SITE, time_zone="UTC")]) != set()


def test_a_day_with_rows_of_an_older_definition_stays_outdated_when_rows_come_to_it(
    lake: Lake, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land({})
    refresh(lake)
    monkeypatch.setattr(events_definition, "_LIBRARIES", ("polars",))
    landing.land({}, {"occurred_at": NOON + timedelta(days=1)})
    take_in(lake, {})
    assert outdated_days(lake, open_version(lake, EVENTS), {}) == {DAY}


def test_a_day_of_landing_moves_with_its_duplicates_and_with_rows_that_are_displaced(
    lake: Lake, landing: Landing
) -> None:
    landing.land({"event_id": "a", "landed_date": DAY, "received_at": NOON})
    take_in(lake, {})
    assert open_version(lake, EVENTS).recorded(LANDED) == {DAY: 1}
    landing.land({"event_id": "a", "landed_date": NEXT_DAY, "received_at": NOON + timedelta(1)})
    take_in(lake, {})
    assert open_version(lake, EVENTS).recorded(LANDED) == {DAY: 1, NEXT_DAY: 1}
    landing.land({"event_id": "a", "landed_date": NEXT_DAY, "received_at": NOON - timedelta(1)})
    take_in(lake, {})
    assert open_version(lake, EVENTS).recorded(LANDED) == {DAY: 2, NEXT_DAY: 2}
    rebuild(lake, [DAY], {})
    assert open_version(lake, EVENTS).recorded(LANDED) == {DAY: 2, NEXT_DAY: 3}
