"""Records that are gone from the broker: the worker stops, and goes past them only where a person accepts it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from confluent_kafka import Producer, TopicPartition

from event_stream.ports import StreamPartition
from lake.audit import audit
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import read_snapshot
from lake.raw_schema import EVENT, LANDED
from lake.removals import read_removals
from pipelines.landing.errors import GapFound
from pipelines.landing.gaps import Gap, accept, find_gaps, landed_offsets, new_gaps, reading_past, refuse
from tests.landing.conftest import SECONDS, Site, wait_until

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HERE = StreamPartition("cluster/new", "topic", 0)
KEY = ("cluster/new", 0)
GONE = ("cluster/old", 3)


def land(lake: Lake, place: tuple[str, int], first: int, end: int) -> None:
    row = {"kind": EVENT, "landed_date": NOW.date(), "landed_at": NOW, "stream_id": place[0]}
    rows = [{**row, "kafka_partition": place[1], "kafka_offset": offset} for offset in range(first, end)]
    writer = DeltaLandingTable(lake)
    writer.landed([place])
    writer.append(pa.Table.from_pylist(rows, schema=LANDED), LANDED.empty_table(), {place: first}, {place: end})


@pytest.fixture
def the_lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


@pytest.mark.parametrize("offset", [5, 7, 9])
def test_where_the_broker_can_go_on_there_is_no_gap(offset: int) -> None:
    assert find_gaps({KEY: offset}, {HERE: (5, 9)}) == []


def test_what_was_never_landed_begins_where_the_broker_begins() -> None:
    assert find_gaps({}, {HERE: (5, 9)}) == []


def test_a_stream_of_another_cluster_is_not_missed() -> None:
    assert find_gaps({("elsewhere/old", 0): 5}, {HERE: (0, 9)}) == []


def test_a_topic_id_may_hold_a_slash() -> None:
    assert find_gaps({("cluster/Fjoi8Xb0TcKQVAseV1K/Uw", 0): 7}, {HERE: (0, 9)}) == [
        Gap(("cluster/Fjoi8Xb0TcKQVAseV1K/Uw", 0), "", 7, None)
    ]


def test_each_kind_of_gap_is_found_and_says_where() -> None:
    expired, reused, gone = (
        *find_gaps({KEY: 3}, {HERE: (5, 9)}),
        *find_gaps({KEY: 12}, {HERE: (5, 9)}),
        *find_gaps({GONE: 7}, {HERE: (0, 9)}),
    )
    assert (expired, reused) == (Gap(KEY, "topic", 3, 5), Gap(KEY, "topic", 9, 12, reused=True))
    assert gone == Gap(GONE, "", 7, None)
    assert "topic[0] offset 3, is not in the broker: the next that it holds is 5. 2 records" in str(expired)
    assert "topic[0] offset 12, is not in the broker" in str(reused)
    assert "offsets 9 to 11 again" in str(reused)
    assert "cluster/old[3] is gone" in str(gone)


def test_a_gap_is_refused_with_a_sentence_that_names_the_way_out() -> None:
    with pytest.raises(GapFound, match="--accept-gap"):
        refuse([Gap(KEY, "topic", 3, 5)])
    with pytest.raises(GapFound, match=r"cluster/old\[3\] is gone from the broker"):
        refuse([Gap(GONE, "", 7, None)])
    refuse([])


def test_an_accepted_gap_is_recorded_before_the_progress_moves_and_the_audit_is_exact(the_lake: Lake) -> None:
    land(the_lake, KEY, 0, 3)
    accept(the_lake, DeltaLandingTable(the_lake), [Gap(KEY, "topic", 3, 5)], NOW)
    assert landed_offsets(the_lake) == {KEY: 5}
    land(the_lake, KEY, 5, 9)
    (partition,) = audit(the_lake).partitions
    assert partition.exact
    assert (partition.events, partition.removed) == (7, 2)


def test_a_stop_between_record_and_progress_is_repeated_to_an_exact_end(
    the_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(the_lake, KEY, 0, 3)

    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(DeltaLandingTable, "append", die)
        with pytest.raises(Killed):
            accept(the_lake, DeltaLandingTable(the_lake), [Gap(KEY, "topic", 3, 5)], NOW)
    assert audit(the_lake).exact
    gaps = new_gaps(the_lake, {HERE: (6, 9)}, landed_offsets(the_lake))
    accept(the_lake, DeltaLandingTable(the_lake), gaps, NOW)
    land(the_lake, KEY, 6, 9)
    (partition,) = audit(the_lake).partitions
    assert partition.exact
    assert (partition.events, partition.removed) == (6, 3)


def test_the_tail_of_a_stream_that_is_gone_is_recorded_once(the_lake: Lake) -> None:
    land(the_lake, GONE, 0, 7)
    gaps = new_gaps(the_lake, {HERE: (0, 9)}, landed_offsets(the_lake))
    accept(the_lake, DeltaLandingTable(the_lake), gaps, NOW)
    assert new_gaps(the_lake, {HERE: (0, 9)}, landed_offsets(the_lake)) == []
    (removal,) = read_removals(the_lake).to_dicts()
    assert (removal["stream_id"], removal["kafka_partition"]) == GONE
    assert (removal["first_offset"], removal["next_offset"], removal["reason"]) == (7, None, "gap_accepted")
    assert audit(the_lake).exact


def test_offsets_that_are_given_out_again_are_read_past(the_lake: Lake) -> None:
    land(the_lake, KEY, 0, 12)
    gaps = new_gaps(the_lake, {HERE: (5, 9)}, landed_offsets(the_lake))
    accept(the_lake, DeltaLandingTable(the_lake), gaps, NOW)
    assert reading_past(gaps, lambda _: {HERE: 12})([HERE]) == {HERE: 9}
    assert reading_past([], lambda _: {HERE: 12})([HERE]) == {HERE: 12}
    assert landed_offsets(the_lake) == {KEY: 12}
    assert audit(the_lake).exact


@pytest.mark.kafka
def test_the_worker_goes_on_behind_an_accepted_gap(site: Site) -> None:
    site.produce(400)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(400)
    worker.terminate()
    assert worker.wait(SECONDS) == 0
    site.produce(300)
    ends = site.ends()
    for deleted in site.admin.delete_records(
        [TopicPartition(place.topic, place.partition, end) for place, end in ends.items()]
    ).values():
        deleted.result()
    refused = site.start(max_age=0.05)
    assert refused.wait(SECONDS) == 1
    assert "start it once as `python -m pipelines.landing --accept-gap`" in site.said(refused)
    accepting = site.start("pipelines.landing", "--accept-gap", max_age=0.05)
    wait_until(lambda: "Accepted, and recorded" in site.said(accepting))
    site.produce(200)
    site.wait_for_landed(600)
    removals = read_removals(site.lake)
    assert removals.select((pl.col("next_offset") - pl.col("first_offset")).sum()).item() == 300
    partitions = audit(site.lake).partitions
    assert all(partition.exact for partition in partitions)
    assert sum(partition.removed for partition in partitions) == 300


@pytest.mark.kafka
def test_the_tail_of_a_topic_that_was_made_anew_is_recorded(site: Site) -> None:
    site.produce(400)
    worker = site.start(max_age=0.05)
    site.wait_for_landed(400)
    worker.terminate()
    assert worker.wait(SECONDS) == 0
    snapshot = read_snapshot(site.lake)
    assert snapshot is not None
    old = set(snapshot.next_offsets)
    site.make_topics_anew()
    site.produce(100)
    refused = site.start(max_age=0.05)
    assert refused.wait(SECONDS) == 1
    assert "is gone from the broker" in site.said(refused)
    assert "--accept-gap" in site.said(refused)
    assert site.landed() == 400
    accepting = site.start("pipelines.landing", "--accept-gap", max_age=0.05)
    site.wait_for_landed(500)
    assert "is gone from the broker" in site.said(accepting)
    recorded = read_removals(site.lake)
    assert set(recorded.select("stream_id", "kafka_partition").iter_rows()) == old
    assert recorded["next_offset"].null_count() == len(old)
    assert audit(site.lake).exact


@pytest.mark.kafka
def test_a_hole_inside_the_log_is_landed_up_to_and_gone_past_where_that_is_accepted(site: Site) -> None:
    site.produce(300)
    # Whoever ends a transaction writes a mark of its own: an offset without a record.
    producer = Producer({"bootstrap.servers": site.bootstrap_servers, "transactional.id": "t", "log_level": 0})
    producer.init_transactions()
    producer.begin_transaction()
    ends = site.ends()
    for place in ends:
        producer.produce(place.topic, b"in a transaction", partition=place.partition)
    producer.commit_transaction()
    wait_until(lambda: site.ends() == {place: end + 2 for place, end in ends.items()})
    site.produce(300)
    holes = len(ends)
    refused = site.start(max_age=0.05)
    assert refused.wait(SECONDS) == 1
    assert "is not in the broker: the next that it holds is" in site.said(refused)
    assert "--accept-gap" in site.said(refused)
    before = {(part.partition, part.next_offset): part for part in audit(site.lake).partitions}
    hole = re.search(r"\[(\d)\] offset (\d+), is not in the broker", site.said(refused))
    assert hole is not None
    assert before[int(hole[1]), int(hole[2])].exact
    accepting = site.start("pipelines.landing", "--accept-gap", max_age=0.05)
    site.wait_for_landed(600 + holes)
    partitions = audit(site.lake).partitions
    assert all(partition.exact for partition in partitions)
    assert sum(partition.removed for partition in partitions) == holes
    assert site.said(accepting).count("Accepted, and recorded") == holes
    assert site.stop(accepting) == 0
