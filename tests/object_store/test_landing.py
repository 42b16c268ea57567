"""Landing in an object store: each record once, whoever is killed. Real Kafka, a real S3 server, real processes."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

import pytest
from deltalake import DeltaTable

from lake.maintenance import compact
from lake.raw_schema import TABLE
from tests.landing.conftest import SECONDS, wait_until
from tests.object_store.conftest import Account, StoreSite
from tests.object_store.s3_server import S3Server
from tests.object_store.wire import Moment, Wire

pytestmark = [pytest.mark.s3, pytest.mark.kafka]


def logektor(site: StoreSite, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "logektor", *command, f"--home={site.home}"],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_what_is_sent_is_landed_and_the_commands_see_it(
    site: StoreSite, account: Account, shared_server: S3Server
) -> None:
    site.produce(500, poison_every=10)
    worker = site.start(max_age=0.05)
    account("landed", site)
    assert site.stop(worker) == 0, site.said(worker)
    audited = logektor(site, "audit")
    assert (audited.returncode, "All is exact: 600 records" in audited.stdout) == (0, True), audited
    letters = logektor(site, "dead-letters")
    assert (letters.returncode, "undecodable" in letters.stdout) == (0, True), letters
    assert shared_server.secret not in site.said(worker) + audited.stdout + audited.stderr


@pytest.mark.parametrize("moment", ["asked", "answered"])
def test_a_worker_that_is_killed_in_the_middle_of_a_commit(
    site: StoreSite, account: Account, shared_server: S3Server, monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    site.produce(500, poison_every=10)
    with Wire(shared_server.port, TABLE, 2, moment, lambda: site.workers[0].send_signal(signal.SIGKILL)) as wire:
        with monkeypatch.context() as environment:
            environment.setenv("AWS_ENDPOINT_URL", wire.endpoint)
            dying = site.start(max_age=0.05, max_records=100, group=uuid.uuid4().hex)
        assert dying.wait(SECONDS) == -signal.SIGKILL
    landed = DeltaTable(site.lake.table_uri(TABLE), storage_options=dict(site.lake.storage_options))
    assert landed.version() == {"asked": 1, "answered": 2}[moment]
    site.start(max_age=0.05)
    account(f"killed when the commit was {moment}", site)


def test_a_commit_whose_answer_is_lost(
    site: StoreSite, account: Account, shared_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.produce(500, poison_every=10)
    with Wire(shared_server.port, TABLE, 2, "answered", lambda: None) as wire:
        with monkeypatch.context() as environment:
            environment.setenv("AWS_ENDPOINT_URL", wire.endpoint)
            worker = site.start(max_age=0.05, max_records=100)
        wait_until(lambda: wire.met and (worker.poll() is not None or site.landed() == len(site.sent)))
        if worker.poll() is not None:
            assert "the store does not answer" in site.said(worker)
            site.start(max_age=0.05)
        account("answer of a commit lost", site)
    assert "Traceback" not in site.said(worker)


def test_workers_that_join_leave_and_are_killed_under_load(
    site: StoreSite, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three that commit as fast as they can make one of them wait for its turn, on a slow machine for 10 s (measured).
    monkeypatch.setenv("LOGEKTOR_STOP_SECONDS", "50")

    def join() -> "subprocess.Popen[bytes]":
        worker = site.start(max_age=0.05)
        wait_until(lambda: "Assigned" in site.said(worker))
        return worker

    with site.load():
        one = join()
        site.wait_for_landed(1)
        two = join()
        three = join()
        landed = site.landed()
        wait_until(lambda: site.landed() > landed)
        assert site.stop(one) == 0, site.said(one)
        site.kill(two)
        landed = site.landed()
        wait_until(lambda: site.landed() > landed)
    account("workers join, leave, are killed", site)
    assert three.poll() is None


def test_a_worker_that_is_killed_at_any_moment_under_load(site: StoreSite, account: Account) -> None:
    with site.load():
        for moment in (0.0, 0.2, 0.4):
            worker = site.start(max_age=0.05, group=uuid.uuid4().hex)
            landed = site.landed()
            wait_until(lambda landed=landed: site.landed() > landed)  # type: ignore[misc]
            time.sleep(moment)  # The moment of death, not a wait for something.
            site.kill(worker)
    site.start(max_age=0.05)
    account("killed at any moment, 3 times", site)


def test_compaction_vacuum_and_checkpoints_while_a_worker_lands(site: StoreSite, account: Account) -> None:
    merged = removed = 0

    def maintain() -> bool:
        nonlocal merged, removed
        done = compact(site.lake, TABLE, min_files=5)
        merged += done.files_after < done.files_before
        table = DeltaTable(site.lake.table_uri(TABLE), storage_options=dict(site.lake.storage_options))
        removed += len(table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False))
        table.create_checkpoint()
        return merged >= 3 and removed >= 20

    with site.load():
        worker = site.start(max_age=0.05, reopen_commits=10)
        site.wait_for_landed(1)
        wait_until(maintain)
    account("compaction, vacuum, checkpoints", site)
    assert worker.poll() is None


def kept_running(site: StoreSite) -> Callable[[], "subprocess.Popen[bytes]"]:
    """A worker that is started again when it ends, as its supervisor does."""
    worker = site.start(max_age=0.05)

    def look() -> "subprocess.Popen[bytes]":
        nonlocal worker
        if worker.poll() is not None:
            worker = site.start(max_age=0.05)
        return worker

    return look


def test_a_store_that_is_killed_and_started_again_under_load(
    own_site: StoreSite, own_server: S3Server, account: Account
) -> None:
    worker = kept_running(own_site)
    with own_site.load():
        own_site.wait_for_landed(1)
        own_server.kill()
        sent = len(own_site.sent)
        wait_until(lambda: len(own_site.sent) > sent + 500)
        own_server.start()
        wait_until(lambda: worker() is not None and own_site.landed() > sent)
    account("store killed, started again under load", own_site)
    assert not any("Traceback" in own_site.said(each) for each in own_site.workers)
