"""Whatever is killed, paused, full or gone: each record of the stream is landed once, or waits in the stream.

Real Kafka, real Delta, real processes. Each test proves it twice: by the audit of offsets, and by the records' own
marks. `uv run pytest -m faults` ends with a table.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from confluent_kafka import TopicPartition
from deltalake import DeltaTable

from event_stream.kafka_reader import KafkaReader
from event_stream.ports import EventReader, NextOffsets, Record
from event_stream.topics import EVENTS, REJECTED, Topic
from lake.landing_table import DeltaLandingTable
from lake.maintenance import compact
from lake.raw_schema import TABLE
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.worker import LandingWorker
from tests.conftest import RunningKafka
from tests.landing import struck_worker
from tests.landing.conftest import SECONDS, Site, wait_until
from tests.landing.last_system_call import needs_system_call_filter

pytestmark = [pytest.mark.faults, pytest.mark.kafka]

Account = Callable[[str, Site], None]

DISK_BYTES = 2 * 1024 * 1024


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account:
    """Asserts that each record is landed once, and puts what was found into the table."""

    def look(name: str, site: Site) -> None:
        try:
            site.assert_each_is_landed_once()
        finally:
            site.count(name).found(request.config)

    return look


def start_struck(site: Site, *faults: str, **settings: object) -> "subprocess.Popen[bytes]":
    """A worker that brings these faults on itself. It lands 100 records at a time."""
    told: dict[str, object] = {"max_age": 0.05, "max_records": 100}
    return site.start("tests.landing.struck_worker", *faults, **told | settings)


def alone() -> str:
    """A group of its own: the dead worker need not be missed first, and what Kafka was told is no help."""
    return uuid.uuid4().hex


def wait_for_pause(worker: "subprocess.Popen[bytes]") -> None:
    wait_until(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)


@pytest.mark.parametrize(
    ("fault", "ended_by"),
    [
        (struck_worker.BEFORE_THE_WRITE, signal.SIGKILL),
        pytest.param(struck_worker.BETWEEN_FILE_AND_COMMIT, signal.SIGSYS, marks=needs_system_call_filter),
        pytest.param(struck_worker.AS_THE_COMMIT_IS_MADE, signal.SIGSYS, marks=needs_system_call_filter),
        (struck_worker.BETWEEN_THE_COMMITS, signal.SIGKILL),
    ],
)
def test_a_worker_that_is_killed_while_landing(
    site: Site, account: Account, fault: str, ended_by: signal.Signals
) -> None:
    site.produce(500, poison_every=10)
    dying = start_struck(site, f"{fault}@2", group=alone())
    assert dying.wait(SECONDS) == -ended_by
    assert 0 < site.landed() < len(site.sent)
    site.start(max_age=0.05)
    account(fault, site)


@needs_system_call_filter
def test_a_file_without_a_commit_is_no_part_of_the_table(site: Site) -> None:
    site.produce(300)
    dying = start_struck(site, f"{struck_worker.BETWEEN_FILE_AND_COMMIT}@2", group=alone())
    assert dying.wait(SECONDS) == -signal.SIGSYS
    table = DeltaTable(site.lake.table_uri(TABLE))
    files = list((site.home / "lake" / TABLE).glob("kind=*/*/*.parquet"))
    assert len(files) == len(table.file_uris()) + 1
    assert table.version() == 1


@pytest.mark.parametrize("fault", [struck_worker.GAINING, struck_worker.LOSING])
def test_a_worker_that_is_killed_during_a_rebalance(site: Site, account: Account, fault: str) -> None:
    if fault == struck_worker.LOSING:
        # What it has read waits for long, and dies with it.
        dying = start_struck(site, f"{fault}@1", max_age=60, max_records=100_000)
        site.produce(500, poison_every=10)
        wait_until(lambda: site.waiting() >= len(site.sent))
        site.start(max_age=0.05)
    else:
        site.start(max_age=0.05)
        site.produce(500, poison_every=10)
        site.wait_for_landed(len(site.sent))
        dying = start_struck(site, f"{fault}@1")
    assert dying.wait(SECONDS) == -signal.SIGKILL
    site.produce(500, poison_every=10)
    account(fault, site)


def test_workers_that_are_killed_at_any_moment_under_load(site: Site, account: Account) -> None:
    moments = iter([0.0, 0.3, 0.1, 0.4])
    with site.load():
        for moment in moments:
            worker = site.start(max_age=0.05, group=alone())
            landed = site.landed()
            wait_until(lambda landed=landed: site.landed() > landed)  # type: ignore[misc]
            time.sleep(moment)  # The moment of death, not a wait for something.
            site.kill(worker)
    site.start(max_age=0.05)
    account("killed at any moment, 4 times", site)


def test_a_paused_worker_that_wakes_with_a_stale_handle(site: Site, account: Account) -> None:
    site.produce(500)
    zombie = start_struck(site, f"{struck_worker.PAUSED}@2")
    wait_for_pause(zombie)
    assert 0 < site.landed() < 500
    # The group gives its stream partitions away when it is missed.
    site.start(max_age=0.05)
    site.wait_for_landed(500)
    site.produce(500, poison_every=10)
    zombie.send_signal(signal.SIGCONT)
    wait_until(lambda: "Looking at the table again" in site.said(zombie))
    account("paused, wakes with a stale handle", site)
    assert site.stop(zombie) == 0
    site.produce(100)
    site.assert_each_is_landed_once()


class HeldReader:
    """A reader that keeps what it reads until it is told to let a topic's records go: those get old meanwhile."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self.held: list[Record] = []
        self.let_go: list[str] = []

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        if not self.let_go:
            self.held += self._reader.read(max_records, timeout)
        free = [record for record in self.held if record.place.topic in self.let_go]
        self.held = [record for record in self.held if record.place.topic not in self.let_go]
        return free

    def commit(self, next_offsets: NextOffsets) -> None:
        self._reader.commit(next_offsets)

    def close(self) -> None:
        self._reader.close()


def worker_here(site: Site, topics: Sequence[Topic], hold: Callable[[EventReader], EventReader]) -> LandingWorker:
    """A worker in this process, to be driven step by step; `hold` may put something before its reader."""
    return LandingWorker(
        lambda on_assign, on_revoke: hold(KafkaReader(site.cluster, topics, alone(), on_assign, on_revoke)),
        DeltaLandingTable(site.lake),
        BatchRule(max_age=0.05),
        DeadLetterLimit(share=1.0),
        now=lambda: datetime.now(UTC),
    )


def test_a_worker_whose_handle_was_rebased_past_the_commits_of_its_successor(site: Site, account: Account) -> None:
    readers: list[HeldReader] = []

    def hold(reader: EventReader) -> EventReader:
        readers.append(HeldReader(reader))
        return readers[0]

    def after_a_step(worker: LandingWorker, holds: Callable[[], bool]) -> Callable[[], bool]:
        def look() -> bool:
            worker.step()
            return holds()

        return look

    site.produce(100, poison_every=1)
    with closing(worker_here(site, [EVENTS, REJECTED], hold)) as zombie:
        (reader,) = readers
        wait_until(after_a_step(zombie, lambda: len(reader.held) == 300))
        with closing(worker_here(site, [EVENTS], lambda reader: reader)) as successor:
            wait_until(after_a_step(successor, lambda: site.landed() == 200))
        # The commit of other records moves the zombie's handle past what its successor has landed.
        reader.let_go = [REJECTED.name]
        wait_until(after_a_step(zombie, lambda: zombie.landed_dead_letters == 100))
        reader.let_go = [EVENTS.name]
        wait_until(after_a_step(zombie, lambda: not reader.held and not zombie.waiting))
    account("handle rebased past its successor's commits", site)
    assert zombie.landed_events == 0


@needs_system_call_filter
@pytest.mark.parametrize("change", ["upgraded", "downgraded"])
def test_another_decoder_between_crash_and_restart(site: Site, account: Account, change: str) -> None:
    first, second = ([], ["reads-version-2"]) if change == "upgraded" else (["reads-version-2"], [])
    site.produce(500, version_2_every=5)
    dying = start_struck(site, *first, f"{struck_worker.BETWEEN_FILE_AND_COMMIT}@2", group=alone())
    assert dying.wait(SECONDS) == -signal.SIGSYS
    before = site.count("")
    assert 0 < before.landed + before.dead_letters < 500
    start_struck(site, *second)
    account(f"decoder {change} between crash and restart", site)
    unreadable = site.count("").dead_letters
    assert unreadable == before.dead_letters > 0 if change == "upgraded" else unreadable > before.dead_letters == 0


def test_a_paused_worker_that_wakes_with_an_older_decoder(site: Site, account: Account) -> None:
    site.produce(500, version_2_every=5)
    zombie = start_struck(site, f"{struck_worker.PAUSED}@2")
    wait_for_pause(zombie)
    start_struck(site, "reads-version-2")
    site.wait_for_landed(500)
    zombie.send_signal(signal.SIGCONT)
    wait_until(lambda: "Looking at the table again" in site.said(zombie))
    account("paused, wakes with an older decoder", site)


def test_workers_that_join_and_leave_under_load(site: Site, account: Account) -> None:
    def join() -> "subprocess.Popen[bytes]":
        worker = site.start(max_age=0.05)
        wait_until(lambda: "Assigned" in site.said(worker))
        return worker

    with site.load():
        one = join()
        site.wait_for_landed(1)
        two = join()
        three, four = join(), join()
        assert site.stop(one) == 0
        site.kill(two)
        assert site.stop(three) == 0
        five = join()
        wait_until(lambda: site.landed() >= len(site.sent) - 4_000)
    account("two, then four workers join and leave", site)
    assert (four.poll(), five.poll()) == (None, None)


def test_a_commit_whose_answer_is_lost(site: Site, account: Account) -> None:
    site.produce(500, poison_every=10)
    worker = start_struck(site, f"{struck_worker.ANSWER_LOST}@2")
    assert worker.wait(SECONDS) == 1
    assert "could not be written: the answer never came" in site.said(worker)
    assert "Traceback" not in site.said(worker)
    site.start(max_age=0.05)
    account(struck_worker.ANSWER_LOST, site)


def test_an_own_commit_that_is_taken_for_that_of_another(site: Site, account: Account) -> None:
    site.produce(500, poison_every=10)
    worker = start_struck(site, f"{struck_worker.OWN_COMMIT_IN_THE_WAY}@2")
    account(struck_worker.OWN_COMMIT_IN_THE_WAY, site)
    assert "Looking at the table again" in site.said(worker)
    assert worker.poll() is None


def test_compactions_checkpoints_and_vacuum_while_workers_land(site: Site, account: Account) -> None:
    compacted = removed = 0

    def maintain() -> bool:
        nonlocal compacted, removed
        done = compact(site.lake, TABLE, min_files=5)
        compacted += done.files_after < done.files_before
        table = DeltaTable(site.lake.table_uri(TABLE))
        # What was compacted goes at once; a file that is not committed yet is nobody's to remove.
        removed += len(table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False))
        table.create_checkpoint()
        return compacted >= 5 and removed >= 50

    with site.load():
        workers = [site.start(max_age=0.02, reopen_commits=10) for _ in range(2)]
        site.wait_for_landed(1)
        wait_until(maintain)
    account("compactions, checkpoints, vacuum", site)
    assert [worker.poll() for worker in workers] == [None, None]


def test_a_broker_that_is_killed_and_started_again(landing_kafka: RunningKafka, site: Site, account: Account) -> None:
    site.produce(300)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(300)
    landing_kafka.kill()
    landing_kafka.start()
    site.produce(300, poison_every=10)
    account("broker killed, started again", site)
    assert worker.poll() is None
    assert site.stop(worker) == 0


@pytest.fixture
def disk(site: Site) -> Iterator[Callable[[str], None]]:
    """A disk of a few MB for the site's home; answers what mounts it anew with other options."""

    def mount(*options: str) -> bool:
        return subprocess.run(["mount", *options, str(site.home)], check=False).returncode == 0  # noqa: S607

    site.home.mkdir()
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs"):
        pytest.skip("needs root and the right to mount a tmpfs")

    def remount(option: str) -> None:
        assert mount("-o", f"remount,{option}")

    yield remount
    site.kill_workers()
    subprocess.run(["umount", "--lazy", str(site.home)], check=True)  # noqa: S607 - wherever it is


def test_a_disk_that_is_full(site: Site, account: Account, disk: Callable[[str], None]) -> None:
    worker = site.start(max_age=0.05)
    with site.load():
        assert worker.wait(SECONDS) == 1
    assert "could not be written" in site.said(worker)
    assert "Traceback" not in site.said(worker)
    assert 0 < site.landed() < len(site.sent)
    disk(f"size={100 * DISK_BYTES}")
    site.start(max_age=0.05)
    account("disk full", site)


def test_a_lake_that_is_read_only(site: Site, account: Account, disk: Callable[[str], None]) -> None:
    site.produce(200)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(200)
    disk("ro")
    site.produce(200, poison_every=10)
    assert worker.wait(SECONDS) == 1
    assert "could not be written" in site.said(worker)
    worker = site.start(max_age=0.05)
    assert worker.wait(SECONDS) == 1
    assert "could not be written" in site.said(worker)
    assert "Traceback" not in site.said(worker)
    assert site.landed() == 200
    disk("rw")
    site.start(max_age=0.05)
    account("lake read-only", site)


def stopped_with(site: Site, worker: "subprocess.Popen[bytes]", sentence: str) -> None:
    """The worker ends by itself, says why in a sentence, and has landed nothing more."""
    landed = site.landed()
    assert worker.wait(SECONDS) == 1
    assert sentence in site.said(worker)
    assert "Traceback" not in site.said(worker)
    assert site.landed() == landed


def test_records_that_expired_before_they_were_landed(site: Site, account: Account) -> None:
    site.produce(400)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(400)
    assert site.stop(worker) == 0
    landed = dict(site.sent)
    site.produce(400)
    expired = [TopicPartition(place.topic, place.partition, end) for place, end in site.ends().items()]
    for deleted in site.admin.delete_records(expired).values():
        deleted.result()
    worker = site.start(max_age=0.05)
    stopped_with(site, worker, "The next record to land, logektor.events.v1[")
    assert "never skips records by itself" in site.said(worker)
    site.sent = landed
    account("records expired: stops", site)


def test_a_topic_that_is_deleted_and_made_anew(site: Site, account: Account) -> None:
    site.produce(400)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(400)
    site.make_topics_anew()
    site.produce(2_000)
    stopped_with(site, worker, "logektor.events.v1")
    stopped_with(site, site.start(max_age=0.05), "is gone from the broker")
    site.start("pipelines.landing", "--accept-gap", max_age=0.05)
    account("topic made anew: stops, lands it where the gap is accepted", site)


@pytest.fixture
def own_site(own_kafka: RunningKafka, tmp_path: Path) -> Iterator[Site]:
    """A site with a broker of its own."""
    site = Site(own_kafka.bootstrap_servers, tmp_path / "home")
    site.make_topics_anew()
    yield site
    site.kill_workers()


def test_a_broker_that_was_set_back_before_what_is_landed(
    own_kafka: RunningKafka, own_site: Site, account: Account, tmp_path: Path
) -> None:
    own_site.produce(200)
    own_kafka.stop()
    shutil.copytree(tmp_path / "kafka", tmp_path / "backup")
    own_kafka.start()
    own_site.produce(200)
    worker = own_site.start(max_age=0.05)
    own_site.wait_for_landed(400)
    own_site.kill(worker)
    own_kafka.kill()
    shutil.rmtree(tmp_path / "kafka")
    (tmp_path / "backup").rename(tmp_path / "kafka")
    own_kafka.start()
    stopped_with(own_site, own_site.start(max_age=0.05), "The next record to land, logektor.events.v1[")
    account("progress beyond the broker's end: stops", own_site)
