"""Each check on facts: the good case, and each way to be bad."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from event_stream.kafka_settings import TopicSettings
from event_stream.kafka_topics import FoundTopic, differences
from logektor.doctor.checks import CHECKS, GIB, Level, examine
from logektor.doctor.facts import DagsterFacts, DiskFacts, Facts, KafkaFacts, LakeFacts

WANTED = TopicSettings(kafka_topic_replication=3, kafka_topic_min_insync=2).topics
EVENTS = WANTED[0].name


def found(replication: int = 3, in_sync: int = 3, without_leader: int = 0, **config: str) -> Mapping[str, FoundTopic]:
    told = {"min.insync.replicas": "2"} | {name.replace("_", "."): value for name, value in config.items()}
    return {
        topic.name: FoundTopic(topic.name, topic.partitions, replication, in_sync, without_leader, told)
        for topic in WANTED
    }


GOOD = Facts(
    one_machine=False,
    wanted_topics=WANTED,
    kafka=KafkaFacts("kafka:9092", None, 3, found(), 4, ()),
    clocks={"the object store": 0.3},
    disks=[DiskFacts("home, spool", "/var", 50 * GIB, 100 * GIB, GIB)],
    lake=LakeFacts("s3://lake", None, True, {"traffic": 3}),
    dagster=DagsterFacts("PostgresRunStorage"),
    python="3.12.1",
    libraries={"deltalake": ("1.6.3", "1.6.3"), "polars": ("2.1.0", "2.1.0")},
    sites=2,
)


def kafka(**changed: object) -> Facts:
    return replace(GOOD, kafka=replace(GOOD.kafka, **changed))  # type: ignore[arg-type] # each is of its field


def lake(**changed: object) -> Facts:
    return replace(GOOD, lake=replace(GOOD.lake, **changed))  # type: ignore[arg-type] # each is of its field


def disk(free: float, may_grow: int = 0) -> Facts:
    return replace(GOOD, disks=[DiskFacts("home", "/var", round(free * GIB), 100 * GIB, may_grow * GIB)])


def test_where_all_is_well_every_check_is_ok_and_says_nothing_to_do() -> None:
    findings = list(examine(GOOD))
    assert [finding.check for finding in findings] == [check.name for check in CHECKS]
    assert {(finding.level, finding.fix) for finding in findings} == {(Level.OK, "")}


@pytest.mark.parametrize(
    ("facts", "check", "level", "words"),
    [
        (kafka(trouble="Kafka at a:1 does not answer"), "kafka", Level.PROBLEM, "a:1"),
        (kafka(brokers=2), "brokers", Level.PROBLEM, "2 brokers answer, for 3 copies"),
        (replace(kafka(brokers=1), wanted_topics=TopicSettings().topics), "brokers", Level.WARNING, "only copy"),
        (kafka(topics={}), "topics", Level.PROBLEM, EVENTS),
        (kafka(topics=found(replication=2)), "topics", Level.WARNING, "replication 2 (to be 3)"),
        (kafka(topics=found(retention_ms="1000")), "topics", Level.WARNING, "retention.ms 1000 (to be 604800000)"),
        (kafka(topics=found(without_leader=1)), "durability", Level.PROBLEM, "no leader"),
        (kafka(topics=found(in_sync=1)), "durability", Level.PROBLEM, "nothing is written"),
        (kafka(topics=found(unclean_leader_election_enable="true")), "durability", Level.PROBLEM, "unclean"),
        (kafka(topics=found(in_sync=2)), "durability", Level.WARNING, "2 of 3 copies up to date"),
        (kafka(topics=found(min_insync_replicas="3")), "durability", Level.WARNING, "without one broker"),
        (kafka(topics=found(min_insync_replicas="1")), "durability", Level.WARNING, "one copy only"),
        (kafka(workers=0), "workers", Level.PROBLEM, "no landing worker"),
        (kafka(workers=5), "workers", Level.WARNING, "5 landing workers for 4"),
        (kafka(other_salts=["2026-11-24"]), "salts", Level.WARNING, "2026-11-24"),
        (replace(GOOD, clocks={"the object store": 5.2}), "clock", Level.WARNING, "5 s behind the object store"),
        (replace(GOOD, clocks={"the object store": -61.0}), "clock", Level.WARNING, "61 s ahead of"),
        (disk(free=0.5), "disk", Level.PROBLEM, "0.5 of 100.0 GiB free"),
        (disk(free=3, may_grow=4), "disk", Level.PROBLEM, "may grow by 4.0 GiB"),
        (disk(free=5), "disk", Level.WARNING, "5.0 of 100.0 GiB free"),
        (lake(trouble="s3://lake could not be written"), "lake", Level.PROBLEM, "could not be written"),
        (lake(keeps_one_commit=False), "commits", Level.PROBLEM, "both succeeded"),
        (lake(outdated=["landed"]), "tables", Level.WARNING, "older version: landed"),
        (lake(tables={}), "tables", Level.WARNING, "no report"),
        (replace(GOOD, dagster=DagsterFacts("", "it does not answer")), "dagster", Level.PROBLEM, "does not answer"),
        (replace(GOOD, libraries={"polars": ("3.0", "2.1")}), "versions", Level.WARNING, "polars 3.0 (tested: 2.1)"),
        (replace(GOOD, libraries={"deltalake": ("1.6.6", "1.6.3")}), "versions", Level.PROBLEM, "deltalake 1.6.6"),
        (replace(GOOD, sites=0), "sites", Level.WARNING, "no site"),
        (replace(GOOD, sites_trouble="sites.toml: line 3"), "sites", Level.PROBLEM, "line 3"),
    ],
)
def test_what_is_not_well_is_said_with_what_to_do(facts: Facts, check: str, level: Level, words: str) -> None:
    (finding,) = [each for each in examine(facts) if each.check == check]
    assert (finding.level, finding.fix) == (level, next(each.fix for each in CHECKS if each.name == check))
    assert words in finding.said


def test_nothing_is_judged_that_could_not_be_looked_at() -> None:
    away = replace(GOOD, kafka=KafkaFacts("a:1", "it is away"), lake=LakeFacts("s3://lake", "it is away"), dagster=None)
    judged = {finding.check for finding in examine(replace(away, clocks={}))}
    assert judged == {"kafka", "disk", "lake", "versions", "sites"}


def test_one_broker_on_one_machine_is_as_it_should_be() -> None:
    topics = TopicSettings().topics
    told = {topic.name: FoundTopic(topic.name, topic.partitions, 1, 1, 0, {}) for topic in topics}
    one = KafkaFacts("127.0.0.1:9092", None, 1, told, 1, ())
    facts = replace(GOOD, one_machine=True, wanted_topics=topics, kafka=one)
    assert {finding.level for finding in examine(facts)} == {Level.OK}
    assert all(differences(topic, told[topic.name]) == [] for topic in topics)
