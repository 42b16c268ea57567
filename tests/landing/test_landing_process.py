"""The worker as a process, on a real Kafka and a real Delta table: killed, paused, multiplied and stopped."""

import random
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from lake.raw import read_snapshot
from tests.conftest import RunningKafka
from tests.landing.conftest import SECONDS, Site, wait_until

pytestmark = pytest.mark.kafka


@contextmanager
def load(site: Site, poison_every: int = 50) -> Iterator[None]:
    """Produces without pause until the block ends."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            site.produce(200, poison_every)
            stopping.wait(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def kill(worker: "subprocess.Popen[bytes]") -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait(SECONDS)


def stop(worker: "subprocess.Popen[bytes]") -> int:
    """SIGTERM; the exit code."""
    worker.send_signal(signal.SIGTERM)
    return worker.wait(SECONDS)


@pytest.mark.slow
def test_killed_at_any_moment_under_load_each_record_is_landed_once(site: Site) -> None:
    moments = random.Random(3)
    with load(site):
        for _ in range(6):
            # A group of its own each time: the dead member need not be waited for, and Kafka's offsets are no help.
            worker = site.start(max_age=0.05, group=uuid.uuid4().hex)
            landed = site.landed()
            wait_until(lambda landed=landed: site.landed() > landed)  # type: ignore[misc]
            time.sleep(moments.uniform(0.0, 0.4))  # The moment of death, not a wait for something.
            kill(worker)
    site.start(max_age=0.05)
    site.assert_each_is_landed_once()


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_on_either_side_of_the_commit_it_loses_and_repeats_nothing(site: Site, when: str) -> None:
    site.produce(500, poison_every=10)
    dying = site.start(
        "tests.landing.struck_worker", "KILL", when, "2", max_age=0.05, max_records=100, group=uuid.uuid4().hex
    )
    assert dying.wait(SECONDS) == -signal.SIGKILL
    assert 0 < site.landed() < site.produced
    site.start(max_age=0.05)
    site.assert_each_is_landed_once()


def test_a_successor_in_the_same_group_takes_over_from_the_dead(site: Site) -> None:
    site.produce(500)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(500)
    kill(worker)
    site.produce(500, poison_every=10)
    site.start(max_age=0.05)
    site.assert_each_is_landed_once()


def test_a_worker_that_was_paused_before_its_commit_repeats_nothing(site: Site) -> None:
    site.produce(500)
    zombie = site.start("tests.landing.struck_worker", "STOP", "before", "2", max_age=0.05, max_records=100)
    wait_until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_STOPPED)
    assert 0 < site.landed() < 500
    # The group gives the paused worker's stream partitions away when it is missed.
    site.start(max_age=0.05)
    site.wait_for_landed(500)
    site.produce(500, poison_every=10)
    zombie.send_signal(signal.SIGCONT)
    wait_until(lambda: "Looking at the table again" in site.said(zombie))
    site.assert_each_is_landed_once()
    assert stop(zombie) == 0
    site.produce(100)
    site.assert_each_is_landed_once()


@pytest.mark.slow
def test_workers_that_join_and_leave_under_load_land_each_record_once(site: Site) -> None:
    with load(site):
        one = site.start(max_age=0.05)
        site.wait_for_landed(1)
        two = site.start(max_age=0.05)
        wait_until(lambda: "Assigned" in site.said(two))
        three = site.start(max_age=0.05)
        wait_until(lambda: "Assigned" in site.said(three))
        assert stop(one) == 0
        kill(two)
        wait_until(lambda: site.landed() >= site.produced - 2_000)
    site.assert_each_is_landed_once()
    assert three.poll() is None


def test_a_stop_lands_what_was_read(site: Site) -> None:
    worker = site.start(max_age=60)
    site.produce(500, poison_every=10)
    wait_until(lambda: site.waiting() >= site.produced)
    assert site.landed() == 0
    began = time.monotonic()
    assert stop(worker) == 0
    assert time.monotonic() - began < 8
    assert site.landed() == site.produced
    site.assert_each_is_landed_once()


def test_kafka_learns_how_far_is_landed(site: Site) -> None:
    site.produce(500)
    site.start(max_age=0.05, group="told")
    site.wait_for_landed(500)

    def committed() -> dict[int, int]:
        (group,) = site.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("told")]).values()
        return {place.partition: place.offset for place in group.result().topic_partitions if place.offset > 0}

    snapshot = read_snapshot(site.lake)
    assert snapshot is not None
    landed = {partition: offset for (_, partition), offset in snapshot.next_offsets.items()}
    wait_until(lambda: committed() == landed)


def test_expired_records_stop_the_worker_with_a_sentence(site: Site) -> None:
    site.produce(400)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(400)
    assert stop(worker) == 0
    site.produce(400)
    expired = [TopicPartition(place.topic, place.partition, end) for place, end in site.ends().items()]
    for deleted in site.admin.delete_records(expired).values():
        deleted.result()
    site.produce(400)
    worker = site.start(max_age=0.05)
    assert worker.wait(SECONDS) == 1
    assert "The next record to land, logektor.events.v1[" in site.said(worker)
    assert "never skips records by itself" in site.said(worker)
    assert "Traceback" not in site.said(worker)
    assert site.landed() == 400


def test_a_topic_made_anew_stops_the_worker_and_the_next_one_reads_it_from_its_beginning(site: Site) -> None:
    site.produce(400)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(400)
    site.make_topics_anew()
    site.produce(2_000)
    assert worker.wait(SECONDS) == 1
    assert "Traceback" not in site.said(worker)
    assert site.landed() == 400
    site.start(max_age=0.05)
    site.assert_each_is_landed_once()


@pytest.mark.slow
def test_a_broker_that_dies_and_comes_back_costs_nothing(own_kafka: RunningKafka, tmp_path: Path) -> None:
    site = Site(own_kafka.bootstrap_servers, tmp_path / "home")
    site.make_topics_anew()
    site.produce(300)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(300)
    own_kafka.kill()
    own_kafka.start()
    site.produce(300, poison_every=10)
    try:
        site.assert_each_is_landed_once()
        assert worker.poll() is None
        assert stop(worker) == 0
    finally:
        site.kill_workers()


def test_a_broker_that_is_not_there_is_waited_for_and_then_named(own_kafka: RunningKafka, site: Site) -> None:
    own_kafka.kill()
    site.bootstrap_servers = own_kafka.bootstrap_servers
    worker = site.start(start_seconds=1)
    assert worker.wait(SECONDS) == 1
    assert f"Kafka at {own_kafka.bootstrap_servers} did not offer the topics" in site.said(worker)
    assert "Traceback" not in site.said(worker)


def test_a_bad_setting_stops_the_worker_with_a_sentence(site: Site) -> None:
    worker = site.start(max_age="soon")
    assert worker.wait(SECONDS) == 2
    assert site.said(worker).startswith("LOGEKTOR_LANDING_MAX_AGE: Input should be a valid number")
