"""A webhook is told what is wrong: once, and once when it is over."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from pydantic import SecretStr, ValidationError

from dagster_project.definitions import defs
from dagster_project.defs.alerts import alerts_sensor, news
from dagster_project.instance import write_instance
from dagster_project.problems import LATE, freshness_problems
from dagster_project.settings import DagsterSettings
from pipelines.refresh.events import take_in
from tests.dagster_project.home import Home
from tests.reports.rows import NOON

DEFINITIONS = defs()

SECRET = "/hook/secret-word"


class Receiver:
    """A webhook: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.said: list[dict[str, object]] = []
        self.status = 204

    @contextmanager
    def serve(self) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status < 300:
                    receiver.said.append(json.loads(body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
                return

        server = HTTPServer(("127.0.0.1", 0), Handler)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{SECRET}"
        finally:
            server.shutdown()
            server.server_close()
            serving.join()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def look(home: Home, receiver: Receiver) -> Iterator["Look"]:
    with receiver.serve() as url:
        yield Look(home, url)


class Look:
    """The sensor's ticks."""

    def __init__(self, home: Home, url: str) -> None:
        self._home = home
        self._sensor = alerts_sensor(SecretStr(url))
        self._cursor: str | None = None

    def __call__(self) -> str:
        """One tick; answers what it says."""
        context = dg.build_sensor_context(
            self._home.instance,
            cursor=self._cursor,
            resources={"lake": self._home.resource},
            repository_def=DEFINITIONS.get_repository_def(),
        )
        said = self._sensor(context)
        assert isinstance(said, dg.SkipReason)
        self._cursor = context.cursor
        return str(said.skip_message)


def finish(home: Home, job: str, *, well: bool) -> None:
    run = home.instance.create_run_for_job(DEFINITIONS.resolve_job_def(job))
    report = home.instance.report_dagster_event
    ending = dg.DagsterEventType.RUN_SUCCESS if well else dg.DagsterEventType.RUN_FAILURE
    report(dg.DagsterEvent(event_type_value=ending.value, job_name=job), run.run_id)


def texts(said: dict[str, object], which: str) -> list[str]:
    listed = said[which]
    assert isinstance(listed, list)
    return [one["text"] for one in listed]


def test_a_failed_run_is_told_once_and_once_when_the_next_goes_well(home: Home, look: Look, receiver: Receiver) -> None:
    assert look() == "0 problems."
    home_runs = [("compact", False), ("compact", False), ("expire", True)]
    for job, well in home_runs:
        finish(home, job, well=well)
        look()
    (said,) = receiver.said
    assert said["open"] == 1
    (text,) = texts(said, "new")
    assert text.endswith("of job compact failed.")
    finish(home, "compact", well=True)
    assert look() == "0 problems, told now."
    assert look() == "0 problems."
    assert texts(receiver.said[-1], "solved")[0].endswith("of job compact failed.")
    assert str(receiver.said[-1]["text"]).startswith("Well again: Run ")
    assert len(receiver.said) == 2


def test_a_failing_check_is_told_once_and_once_when_it_passes(home: Home, look: Look, receiver: Receiver) -> None:
    look()
    for passed in (False, False, True, True):
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("events"), check_name="key_is_unique", passed=passed, metadata={}
        )
        home.instance.report_runless_asset_event(evaluation)
        look()
    assert [(texts(said, "new"), texts(said, "solved")) for said in receiver.said] == [
        (["Check key_is_unique of events fails."], []),
        ([], ["Check key_is_unique of events fails."]),
    ]


def test_a_webhook_that_is_away_is_told_later_and_its_address_is_said_nowhere(
    home: Home, look: Look, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    look()
    receiver.status = 500
    finish(home, "compact", well=False)
    with pytest.raises(dg.Failure) as raised:
        look()
    assert str(raised.value) == "The alert webhook was not told: it answered 500. It is told again in a minute."
    assert "secret-word" not in caplog.text + repr(raised.getrepr(style="long"))
    receiver.status = 204
    assert look() == "1 problems, told now."
    assert len(receiver.said) == 1


def test_an_address_where_nobody_listens_is_said_nowhere(home: Home) -> None:
    look = Look(home, f"http://127.0.0.1:1{SECRET}")
    look()
    finish(home, "compact", well=False)
    with pytest.raises(dg.Failure, match="it can't be reached") as raised:
        look()
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_tables_that_got_nothing_new_or_wait_too_long_are_not_fresh(tmp_path: Path) -> None:
    folder = write_instance(tmp_path).parent
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        home = Home(tmp_path, instance)
        tables = [dg.AssetKey("events"), dg.AssetKey("traffic")]

        def found(now: datetime) -> set[str]:
            return set(freshness_problems(instance, home.lake, tables, now))

        assert found(NOON) == set()
        home.landing.land({})
        assert found(NOON + LATE) == set()
        assert found(NOON + LATE + timedelta(seconds=1)) == {"freshness:waiting"}
        take_in(home.lake, {})
        assert found(NOON + timedelta(days=1)) == set()
        instance._report_runless_asset_event(
            FreshnessStateChange(
                key=tables[1],
                new_state=FreshnessState.FAIL,
                previous_state=FreshnessState.PASS,
                state_change_timestamp=NOON.timestamp(),
            )
        )
        assert found(NOON) == {"freshness:traffic"}


def test_nothing_new_is_nothing_to_say() -> None:
    assert news({"a": "A."}, {"a": "A, still."}) is None
    assert news({}, {}) is None


def test_without_a_webhook_the_sensor_is_off(home: Home) -> None:
    off, on = alerts_sensor(None), alerts_sensor(SecretStr("https://chat.example"))
    assert off.default_status == dg.DefaultSensorStatus.STOPPED
    assert on.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_bad_address_stops_and_is_not_said() -> None:
    with pytest.raises(ValidationError, match="a webhook begins with") as raised:
        DagsterSettings(alert_webhook=SecretStr("ftp://secret-word"))
    assert "secret-word" not in str(raised.value)
