"""What is known of a deployment when it is judged. Where something could not be asked, `trouble` says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from event_stream.kafka_topics import FoundTopic
from event_stream.topics import Topic


@dataclass(frozen=True)
class KafkaFacts:
    """The cluster. `workers` are the members of the landing workers' group.

    `other_salts`: dates whose salt on this home is not that of the other collectors; None where none runs on it.
    """

    address: str
    trouble: str | None = None
    brokers: int = 0
    topics: Mapping[str, FoundTopic] = field(default_factory=dict)
    workers: int = 0
    other_salts: Sequence[str] | None = None


@dataclass(frozen=True)
class DiskFacts:
    """A file system, by the folder that is on it; sizes are in bytes. `may_grow` is what is known to come to it."""

    what: str
    folder: str
    free: int
    total: int
    may_grow: int = 0


@dataclass(frozen=True)
class LakeFacts:
    """The lake. `keeps_one_commit` says whether of two commits of one version only one succeeds.

    `tables` has the version of each report; `outdated` those that `logektor migrate` would change.
    """

    uri: str
    trouble: str | None = None
    keeps_one_commit: bool = False
    tables: Mapping[str, int] = field(default_factory=dict)
    outdated: Sequence[str] = ()


@dataclass(frozen=True)
class DagsterFacts:
    """Where Dagster keeps its runs."""

    storage: str
    trouble: str | None = None


@dataclass(frozen=True)
class Facts:
    """A deployment at one moment.

    `one_machine`: Kafka is the embedded one. `clocks`: by whose clock, how many seconds it is ahead of this machine's.
    `libraries`: of each library that was tested in one version, the installed and the tested one.
    """

    one_machine: bool
    wanted_topics: Sequence[Topic]
    kafka: KafkaFacts
    clocks: Mapping[str, float]
    disks: Sequence[DiskFacts]
    lake: LakeFacts
    dagster: DagsterFacts | None
    python: str
    libraries: Mapping[str, tuple[str, str]]
    sites: int
    sites_trouble: str | None = None
