"""The peer: Spark Structured Streaming from Kafka to Delta, in an environment of its own that is made once."""

import subprocess
from pathlib import Path

from benchmarks.other_environment import EnvironmentFailed, other_environment

PYSPARK = "pyspark==4.2.0"
"""The jars that spark_landing names belong to this version; it needs Java 17 or later."""

MINUTES = 10


class SparkFailed(Exception):
    """Spark can't be run here; the message says why."""


def land(bootstrap_servers: str, topic: str, table: Path, records_a_trigger: int) -> None:
    """Lands the whole topic. Raises SparkFailed."""
    script = Path(__file__).with_name("spark_landing.py")
    _run([str(environment()), str(script), bootstrap_servers, topic, str(table), str(records_a_trigger)])


def environment() -> Path:
    """The Python that has pyspark. Raises SparkFailed."""
    try:
        return other_environment("spark", PYSPARK)
    except EnvironmentFailed as error:
        raise SparkFailed(str(error)) from error


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60 * MINUTES)
    except subprocess.CalledProcessError as error:
        raise SparkFailed(f"{command[0]} ended with {error.returncode}: {error.stderr.strip()[-500:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise SparkFailed(str(error)) from error
