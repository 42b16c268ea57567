"""The job that erases, and forgets whom."""

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.defs.erasure import erase_job
from dagster_project.instance import write_instance
from lake.audit import audit
from lake.raw import scan_raw_events
from pipelines.refresh.behind import days_behind
from pipelines.reports.all_reports import REPORTS
from tests.dagster_project.home import Home
from tests.refresh.traces import traces

WHO = "visitor-4711-to-be-forgotten"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose history is on disk, as `up` has it."""
    folder = write_instance(tmp_path).parent
    return Home(tmp_path, dg.DagsterInstance.from_config(str(folder)))


def ask(home: Home, content: str) -> Path:
    file = home.folder / "erasures" / "ticket-17.json"
    file.parent.mkdir()
    file.write_text(content)
    return file


def erase(home: Home, request: str, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    return erase_job.execute_in_process(
        {"ops": {"erase_everywhere": {"config": {"request": request}}}},
        resources={"lake": home.resource},
        instance=home.instance,
        raise_on_error=raise_on_error,
    )


def test_a_visitor_is_erased_and_in_no_file_of_the_home_the_history_among_them(home: Home) -> None:
    home.landing.land({"visitor_id": WHO}, {"visitor_id": "stays"})
    (request,) = home.look().run_requests or ()  # type: ignore[union-attr]  # it asks for a run
    home.run(request)
    file = ask(home, f'{{"visitor": "{WHO}"}}')
    assert {Path(trace).parts[0] for trace in traces(home.folder, WHO)} == {"lake", "erasures"}
    result = erase(home, file.name)
    assert result.success
    assert not file.exists()
    assert traces(home.folder, WHO) == []
    assert any(trace.startswith("dagster/history") for trace in traces(home.folder, result.run_id))
    assert scan_raw_events(home.lake).collect()["visitor_id"].to_list() == ["stays"]
    assert audit(home.lake).exact
    assert days_behind(home.lake, REPORTS, []) == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "Say which visitor, user or site"),
        (f'{{"visitor": "{WHO}", "user": "{WHO}"}}', "one after the other"),
        (f'{{"vistor": "{WHO}"}}', "asks for nothing that can be erased"),
        (f'{{"visitor": ["{WHO}"]}}', "asks for nothing that can be erased"),
        (WHO, "asks for nothing that can be erased"),
    ],
)
def test_what_can_not_be_understood_is_refused_without_a_word_of_it_in_the_history(
    home: Home, content: str, said: str
) -> None:
    file = ask(home, content)
    result = erase(home, file.name, raise_on_error=False)
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    assert said in str(failed.step_failure_data.error)
    file.unlink()
    assert traces(home.folder, WHO) == []


def test_a_file_that_is_not_there_is_named(home: Home) -> None:
    result = erase(home, "ticket-18.json", raise_on_error=False)
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    assert "ticket-18.json can't be read" in str(failed.step_failure_data.error)


def test_no_file_outside_the_folder_can_be_named(home: Home) -> None:
    result = erase(home, "../removals_key", raise_on_error=False)
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    assert "should match pattern" in str(failed.step_failure_data.error)
