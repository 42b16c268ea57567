"""The rules by which a deployment is judged; each looks at facts only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from event_stream.kafka_topics import FoundTopic, differences
from event_stream.topics import EVENTS
from logektor.doctor.facts import DiskFacts, Facts

GIB = 1024**3
SKEW_SECONDS = 2.0
FREE_SHARE = 0.1

_FENCED = "deltalake"
"""The library whose other versions have doubled rows."""


class Level(StrEnum):
    """How a check ends."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Verdict:
    """How well something is, in words."""

    level: Level
    said: str


@dataclass(frozen=True)
class Check:
    """One rule. `decide` answers None where there is nothing to judge; `fix` says what to do where it is not well."""

    name: str
    looks_at: str
    fix: str
    decide: Callable[[Facts], Verdict | None]


@dataclass(frozen=True)
class Finding:
    """What a check found. `fix` is empty where all is well."""

    check: str
    level: Level
    said: str
    fix: str


def examine(facts: Facts) -> Iterator[Finding]:
    """Every check that has something to judge."""
    for check in CHECKS:
        verdict = check.decide(facts)
        if verdict is not None:
            yield Finding(check.name, verdict.level, verdict.said, "" if verdict.level is Level.OK else check.fix)


def _ok(said: str) -> Verdict:
    return Verdict(Level.OK, said)


def _warning(said: str) -> Verdict:
    return Verdict(Level.WARNING, said)


def _problem(said: str) -> Verdict:
    return Verdict(Level.PROBLEM, said)


def _kafka(facts: Facts) -> Verdict:
    kafka = facts.kafka
    return _problem(kafka.trouble) if kafka.trouble is not None else _ok(f"{kafka.address} answers")


def _brokers(facts: Facts) -> Verdict | None:
    if facts.kafka.trouble is not None:
        return None
    brokers = facts.kafka.brokers
    copies = max([topic.replication or 1 for topic in facts.wanted_topics], default=1)
    if brokers < copies:
        return _problem(f"{brokers} brokers answer, for {copies} copies of each topic")
    if brokers == 1 and not facts.one_machine:
        return _warning("one broker, which has the only copy of each event")
    return _ok(f"{brokers} answer, for {copies} copies of each topic")


def _topics(facts: Facts) -> Verdict | None:
    if facts.kafka.trouble is not None:
        return None
    missing = [topic.name for topic in facts.wanted_topics if topic.name not in facts.kafka.topics]
    if missing:
        return _problem(f"missing: {', '.join(missing)}")
    different = [
        f"{topic.name}: {', '.join(differs)}"
        for topic in facts.wanted_topics
        if (differs := differences(topic, facts.kafka.topics[topic.name]))
    ]
    return _warning("; ".join(different)) if different else _ok(f"all {len(facts.wanted_topics)} are as set")


def _durability(facts: Facts) -> Verdict | None:
    found = facts.kafka.topics.values()
    if not found:
        return None
    worst = [verdict for topic in found if (verdict := _durable(topic, facts.one_machine)) is not None]
    problems = [verdict for verdict in worst if verdict.level is Level.PROBLEM]
    if worst:
        return (problems or worst)[0]
    topic = min(found, key=lambda each: each.replication)
    return _ok(f"{topic.replication} copies, {_min_insync(topic)} of them before a 202, all up to date")


def _durable(topic: FoundTopic, one_machine: bool) -> Verdict | None:
    needed = _min_insync(topic)
    if topic.without_leader:
        return _problem(f"{topic.without_leader} stream partitions of {topic.name} have no leader")
    if topic.in_sync < needed:
        return _problem(f"{topic.name} has {topic.in_sync} copies up to date and needs {needed}: nothing is written")
    if topic.config.get("unclean.leader.election.enable") == "true":
        return _problem(f"{topic.name} may be led by a copy that lacks events: unclean.leader.election.enable is true")
    if topic.in_sync < topic.replication:
        return _warning(f"{topic.name} has {topic.in_sync} of {topic.replication} copies up to date")
    if topic.replication > 1 and needed == topic.replication:
        return _warning(f"{topic.name} needs all {needed} copies: without one broker nothing is written")
    if needed < 2 and not one_machine:
        return _warning(f"{topic.name}: a 202 means one copy only")
    return None


def _min_insync(topic: FoundTopic) -> int:
    return int(topic.config.get("min.insync.replicas", "1"))


def _workers(facts: Facts) -> Verdict | None:
    events = facts.kafka.topics.get(EVENTS.name)
    if events is None:
        return None
    workers, partitions = facts.kafka.workers, events.partitions
    if workers == 0:
        return _problem("no landing worker runs")
    if workers > partitions:
        return _warning(f"{workers} landing workers for {partitions} stream partitions of events: some have nothing")
    return _ok(f"{workers} for {partitions} stream partitions of events")


def _salts(facts: Facts) -> Verdict | None:
    others = facts.kafka.other_salts
    if facts.kafka.trouble is not None or others is None:
        return None
    if others:
        return _warning(f"those of {', '.join(others)} on this home are not those of the other collectors")
    return _ok("all collectors share them")


def _clock(facts: Facts) -> Verdict | None:
    if not facts.clocks:
        return None
    whose, ahead = max(facts.clocks.items(), key=lambda each: abs(each[1]))
    if abs(ahead) <= SKEW_SECONDS:
        return _ok(f"within {SKEW_SECONDS:g} s of {', '.join(facts.clocks)}")
    return _warning(f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} {whose}")


def _disk(facts: Facts) -> Verdict | None:
    if not facts.disks:
        return None
    fullest = min(facts.disks, key=lambda disk: disk.free - disk.may_grow)
    said = "; ".join(f"{disk.what} {disk.free / GIB:.1f} GiB free" for disk in facts.disks)
    if fullest.free < max(GIB, fullest.may_grow):
        return _problem(f"{_place(fullest)}{_growth(fullest)}")
    scarce = [disk for disk in facts.disks if disk.free < FREE_SHARE * disk.total]
    return _warning(_place(scarce[0])) if scarce else _ok(said)


def _place(disk: DiskFacts) -> str:
    return f"{disk.what} ({disk.folder}) has {disk.free / GIB:.1f} of {disk.total / GIB:.1f} GiB free"


def _growth(disk: DiskFacts) -> str:
    return f", and may grow by {disk.may_grow / GIB:.1f} GiB" if disk.may_grow else ""


def _lake(facts: Facts) -> Verdict:
    lake = facts.lake
    return _problem(lake.trouble) if lake.trouble is not None else _ok(f"{lake.uri} is read and written")


def _commits(facts: Facts) -> Verdict | None:
    if facts.lake.trouble is not None:
        return None
    if not facts.lake.keeps_one_commit:
        return _problem("two commits of one version both succeeded: two workers would lose or double events")
    return _ok("of two commits of one version one succeeds")


def _tables(facts: Facts) -> Verdict | None:
    lake = facts.lake
    if lake.trouble is not None:
        return None
    if lake.outdated:
        return _warning(f"made by an older version: {', '.join(lake.outdated)}")
    if not lake.tables:
        return _warning("no report has been built yet")
    return _ok(", ".join(f"{name} {version}" for name, version in lake.tables.items()))


def _dagster(facts: Facts) -> Verdict | None:
    dagster = facts.dagster
    if dagster is None:
        return None
    return _problem(dagster.trouble) if dagster.trouble is not None else _ok(f"{dagster.storage} answers")


def _versions(facts: Facts) -> Verdict:
    different = {name: each for name, each in facts.libraries.items() if each[0] != each[1]}
    said = ", ".join(f"{name} {installed} (tested: {tested})" for name, (installed, tested) in different.items())
    if _FENCED in different:
        return _problem(said)
    if different:
        return _warning(said)
    return _ok(f"Python {facts.python}, and the {len(facts.libraries)} libraries that were tested")


def _sites(facts: Facts) -> Verdict:
    if facts.sites_trouble is not None:
        return _problem(facts.sites_trouble)
    return _ok(f"{facts.sites} sites") if facts.sites else _warning("no site may send events")


CHECKS = (
    Check(
        "kafka",
        "Whether the brokers answer this client, with the security of the settings. Kafka 2.8 or later is needed.",
        "Start it, and correct LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS and the LOGEKTOR_KAFKA_… of its security.",
        _kafka,
    ),
    Check(
        "brokers",
        "Brokers that answer, against the copies that topics are to have. One broker of a cluster is a warning.",
        "Start the missing brokers; run three, with LOGEKTOR_KAFKA_TOPIC_REPLICATION=3.",
        _brokers,
    ),
    Check(
        "topics",
        "Partitions, copies, min.insync.replicas, retention and compression of each topic against the settings.",
        "Missing ones are made by a collector at its start. What differs, change with kafka-topics.sh --alter "
        "and kafka-configs.sh, or in the settings (LOGEKTOR_KAFKA_TOPIC_…).",
        _topics,
    ),
    Check(
        "durability",
        "What a 202 is worth: collectors ask for acks=all, which is as many copies as min.insync.replicas says. Copies "
        "that are not up to date, partitions without a leader, unclean elections.",
        "Start the broker that is away. Set min.insync.replicas to 2 of 3 copies, and unclean.leader.election.enable "
        "to false.",
        _durability,
    ),
    Check(
        "workers",
        "Landing workers that run, against the stream partitions of events: more have nothing to do.",
        "Start `python -m pipelines.landing`, or add partitions with kafka-topics.sh --alter: landing stays exact.",
        _workers,
    ),
    Check(
        "salts",
        "Whether this home's collector makes the visitor ids that the others make.",
        "Nothing if Kafka was away when the collector started. Else let all collectors use one Kafka.",
        _salts,
    ),
    Check(
        "clock",
        "This machine's clock against the object store's, and against the newest event's, which is a collector's.",
        "Let every host keep its time by NTP (chrony, systemd-timesyncd).",
        _clock,
    ),
    Check(
        "disk",
        "Free space of the home, of the spool with all that it may take, and of a lake on disk.",
        "Free or add space, or lower LOGEKTOR_SPOOL_BYTES, LOGEKTOR_RETENTION_EVENTS_DAYS or Kafka's retention.",
        _disk,
    ),
    Check(
        "lake",
        "Whether a table can be made, read, written and deleted there.",
        "Correct LOGEKTOR_LAKE_URI, AWS_ENDPOINT_URL and the credentials; they must list, read, write and delete.",
        _lake,
    ),
    Check(
        "commits",
        "Whether of two commits of one version only one succeeds (a conditional put in an object store).",
        "Use a store with conditional puts (If-None-Match): S3, MinIO, Ceph. Run one worker at most until then.",
        _commits,
    ),
    Check(
        "tables",
        "The version of each report's table, and whether an older Logektor made some.",
        "Older ones: `logektor migrate`. None yet: send an event, and see that Dagster's daemon runs.",
        _tables,
    ),
    Check(
        "dagster",
        "Whether the storage of Dagster's runs answers, where DAGSTER_HOME or the home names one.",
        "Start its database, and correct dagster.yaml in DAGSTER_HOME.",
        _dagster,
    ),
    Check(
        "versions",
        "Installed libraries against the versions that were tested; another deltalake is a problem: some double rows.",
        "Install `logektor[pinned]`.",
        _versions,
    ),
    Check(
        "sites",
        "Whether sites.toml of the home can be read.",
        "`logektor sites check` says where it is wrong; `logektor sites add DOMAIN` adds a site.",
        _sites,
    ),
)
