"""What can go wrong with the embedded Kafka; each text is one sentence that says what to do.

EmbeddedKafkaError
├── DownloadFailed   a jar could not be fetched, or came wrong; what has arrived is kept
├── JarChanged       a jar in the cache is not the one that is locked
├── FormatFailed     Kafka's storage tool refused the folder
└── NotReady         the broker did not answer in time
"""

from pathlib import Path


class EmbeddedKafkaError(Exception):
    """The embedded Kafka cannot be used as it is."""


class DownloadFailed(EmbeddedKafkaError):
    def __init__(self, jar: str, repository: str, reason: str) -> None:
        super().__init__(
            f"Could not download Apache Kafka ({jar} from {repository}: {reason}): check the network "
            "and start again, what has arrived is kept; or set LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS to a Kafka you have."
        )
        self.jar = jar
        self.repository = repository
        self.reason = reason


class JarChanged(EmbeddedKafkaError):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not the jar that Logektor locked (its sha256 differs), so it is not run: "
            "delete it and start again to fetch the right one."
        )
        self.path = path


class FormatFailed(EmbeddedKafkaError):
    def __init__(self, folder: Path, output: str) -> None:
        super().__init__(f"Kafka could not prepare its storage in {folder}, see its own words and mend that: {output}")
        self.folder = folder
        self.output = output


class NotReady(EmbeddedKafkaError):
    def __init__(self, bootstrap_servers: str, seconds: float) -> None:
        super().__init__(
            f"Kafka at {bootstrap_servers} did not answer within {seconds:g} s: see broker.log in its folder."
        )
        self.bootstrap_servers = bootstrap_servers
        self.seconds = seconds
