"""The job that erases."""

import pytest

from dagster_project.defs.erasure import erase_job
from lake.audit import audit
from lake.raw import scan_raw_events
from pipelines.refresh.behind import days_behind
from pipelines.reports.all_reports import REPORTS
from tests.dagster_project.home import Home


def test_a_visitor_is_erased_and_no_day_is_behind(home: Home) -> None:
    home.landing.land({"visitor_id": "goes"}, {"visitor_id": "stays"})
    (request,) = home.look().run_requests or ()  # type: ignore[union-attr]  # it asks for a run
    home.run(request)
    config = {"ops": {"erase_everywhere": {"config": {"visitor": "goes"}}}}
    assert erase_job.execute_in_process(config, resources={"lake": home.resource}, instance=home.instance).success
    assert scan_raw_events(home.lake).collect()["visitor_id"].to_list() == ["stays"]
    assert audit(home.lake).exact
    assert days_behind(home.lake, REPORTS, {}) == set()


def test_an_erasure_of_nothing_in_particular_is_refused(home: Home) -> None:
    with pytest.raises(ValueError, match="Say which"):
        erase_job.execute_in_process(resources={"lake": home.resource}, instance=home.instance)
