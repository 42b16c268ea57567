"""The job that deletes what has expired."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from dagster_project.definitions import defs
from lake.audit import audit
from lake.raw import scan_raw_events
from tests.dagster_project.home import Home


def test_the_schedule_is_on_only_where_a_retention_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status() == dg.DefaultScheduleStatus.STOPPED
    monkeypatch.setenv("LOGEKTOR_RETENTION_EVENTS_DAYS", "400")
    assert status() == dg.DefaultScheduleStatus.RUNNING


def status() -> dg.DefaultScheduleStatus:
    return defs().resolve_schedule_def("expire_daily").default_status


def test_what_is_older_than_its_retention_is_deleted_and_the_audit_stays_exact(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGEKTOR_HOME", str(home.folder))
    monkeypatch.setenv("LOGEKTOR_RETENTION_EVENTS_DAYS", "10")
    today = datetime.now(UTC)
    home.landing.land({"landed_date": today.date() - timedelta(days=11)}, {"landed_date": today.date()})
    (request,) = home.look().run_requests or ()  # type: ignore[union-attr]  # it asks for a run
    home.run(request)
    job = defs().resolve_job_def("expire")
    assert job.execute_in_process(instance=home.instance).success
    assert scan_raw_events(home.lake).collect()["landed_date"].to_list() == [today.date()]
    assert audit(home.lake).exact
