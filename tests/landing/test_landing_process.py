"""The worker as a process, on a real Kafka and a real Delta table: killed, paused, multiplied and stopped."""

import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions

from lake.raw import read_snapshot
from tests.conftest import RunningKafka
from tests.landing.conftest import SECONDS, Site, wait_until

pytestmark = pytest.mark.kafka


def test_a_successor_in_the_same_group_takes_over_from_the_dead(site: Site) -> None:
    site.produce(500)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(500)
    site.kill(worker)
    site.produce(500, poison_every=10)
    site.start(max_age=0.05)
    site.assert_each_is_landed_once()


def test_a_stop_lands_what_was_read(site: Site) -> None:
    worker = site.start(max_age=60)
    site.produce(500, poison_every=10)
    wait_until(lambda: site.waiting() >= len(site.sent))
    assert site.landed() == 0
    began = time.monotonic()
    assert site.stop(worker) == 0
    assert time.monotonic() - began < 8
    assert site.landed() == len(site.sent)
    site.assert_each_is_landed_once()


def test_kafka_learns_how_far_is_landed(site: Site) -> None:
    site.produce(500)
    site.start(max_age=0.05)
    site.wait_for_landed(500)

    def committed() -> dict[int, int]:
        (group,) = site.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(site.group)]).values()
        return {place.partition: place.offset for place in group.result().topic_partitions if place.offset > 0}

    snapshot = read_snapshot(site.lake)
    assert snapshot is not None
    landed = {partition: offset for (_, partition), offset in snapshot.next_offsets.items()}
    wait_until(lambda: committed() == landed)


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
