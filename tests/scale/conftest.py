"""What the tests of a whole deployment share: how one is started, and how its events are counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import polars as pl
import pytest

from lake.audit import audit
from lake.location import Lake
from lake.raw import scan_raw_events
from lake.table_version import open_version
from pipelines.refresh.events import take_in
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from tests.fault_table import ScaleFault
from tests.scale.deployment import READY_SECONDS, SITE, Deployment
from tests.scale.load import Readers, Writers
from tests.scale.server_process import until

REPORT = f"/api/reports/actions?site={SITE}"

SOME = 100
"""Events that are accepted before, between and after faults."""

Account = Callable[[str, Deployment, Writers, Readers], ScaleFault]


@contextmanager
def running(deployment: Deployment) -> Iterator[Deployment]:
    """Started, with a first event in a first report, and stopped in the end."""
    try:
        deployment.start()
        event = {"action": "first", "objectType": "user", "objectId": 1}
        until(
            lambda: httpx.post(f"{deployment.write_url}/track", json=event).status_code == 202,
            "a first 202",
            READY_SECONDS,
        )
        until(lambda: landed(deployment.lake) > 0, "the first event is landed", READY_SECONDS)
        bring_up_to_date(deployment.lake, REPORTS, deployment.sites)
        yield deployment
    finally:
        deployment.stop()


def accepted_more(writers: Writers, events: int = SOME) -> None:
    before = len(writers.accepted)
    until(lambda: len(writers.accepted) >= before + events, f"{events} more events are accepted", READY_SECONDS)


def read_more(readers: Readers, reads: int = 20) -> None:
    before = readers.reads
    until(lambda: readers.reads >= before + reads, f"{reads} more reads are answered", READY_SECONDS)


@contextmanager
def load(deployment: Deployment, action: str) -> Iterator[tuple[Writers, Readers]]:
    """Clients that write and clients that read, until the block ends."""
    with (
        Writers(deployment.write_url, action) as writers,
        Readers(deployment.read_url, deployment.token, REPORT) as readers,
    ):
        yield writers, readers


def landed(lake: Lake) -> int:
    """How many events there are."""
    return int(scan_raw_events(lake).select(pl.len()).collect().item())


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account:
    """Waits until all is landed; asserts that nothing was lost, doubled or given up. Its row goes into the table."""

    def look(name: str, deployment: Deployment, writers: Writers, readers: Readers) -> ScaleFault:
        until(deployment.settled, "all that was accepted is landed", READY_SECONDS)
        fault = count(name, deployment.lake, writers, readers)
        fault.found(request.config)
        assert audit(deployment.lake).exact
        assert (fault.lost, fault.double) == (0, 0), writers.trouble
        assert writers.given_up == [], writers.trouble
        assert readers.failed == []
        return fault

    return look


def count(name: str, lake: Lake, writers: Writers, readers: Readers) -> ScaleFault:
    """Looks for each event by its mark: in the landed rows, and in the table that reports are made of."""
    take_in(lake, {})
    sent = pl.col("subject_id").is_in(writers.sent)
    raw = scan_raw_events(lake).filter(sent).select("event_id").collect()
    rows = open_version(lake, EVENTS).scan().filter(sent).select("subject_id").collect()["subject_id"]
    return ScaleFault(
        name,
        sent=len(writers.sent),
        accepted=len(writers.accepted),
        again=raw.height - raw["event_id"].n_unique(),
        lost=len(set(writers.accepted) - set(rows)),
        double=rows.len() - rows.n_unique(),
        given_up=len(writers.given_up),
        reads=readers.reads,
        failed=len(readers.failed),
    )
