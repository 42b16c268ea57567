"""The jars that make one version of Apache Kafka, each with its sha256: kafka.lock.json, committed beside this file.

`python -m logektor.embedded_kafka.lock 4.4.0` writes the lock for another version.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from jgo.maven import Artifact, MavenContext
from jgo.parse import Coordinate

LOCK_FILE = Path(__file__).with_name("kafka.lock.json")


@dataclass(frozen=True)
class LockedJar:
    """One jar by its Maven coordinates; size in bytes, sha256 in hex."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def read_lock(path: Path = LOCK_FILE) -> tuple[LockedJar, ...]:
    return tuple(LockedJar(**jar) for jar in json.loads(path.read_text(encoding="utf-8"))["jars"])


def write_lock(jars: Iterable[LockedJar], path: Path = LOCK_FILE) -> None:
    rows = [asdict(jar) for jar in sorted(jars, key=lambda jar: (jar.group, jar.artifact))]
    path.write_text(json.dumps({"jars": rows}, indent=1) + "\n", encoding="utf-8")


def lock_kafka(version: str) -> list[LockedJar]:
    """Resolve Kafka's server and all it depends on, and hash each jar (downloads them, 46 MB)."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder))
        kafka = context.create_dependency(Coordinate("org.apache.kafka", "kafka_2.13", version, scope="compile"))
        inputs, transitive = context.resolver.resolve([kafka])
        artifacts = [each.artifact for each in (*inputs, *transitive) if each.scope in ("compile", "runtime")]
        # Kafka logs through slf4j 1.7 and leaves the binding to its packaging; ours binds it to the log4j it brings.
        [log4j] = [each for each in artifacts if each.artifactId == "log4j-core"]
        artifacts.append(context.project(log4j.groupId, "log4j-slf4j-impl").at_version(log4j.version).artifact())
        return [_lock(artifact) for artifact in artifacts]


def _lock(artifact: Artifact) -> LockedJar:
    content = artifact.resolve().read_bytes()
    return LockedJar(
        artifact.groupId, artifact.artifactId, artifact.version, len(content), hashlib.sha256(content).hexdigest()
    )


if __name__ == "__main__":
    write_lock(lock_kafka(sys.argv[1]))
