"""The peer: Spark Structured Streaming from Kafka to Delta, in an environment of its own that is made once."""

from pathlib import Path

from benchmarks.other_environment import other_environment, run

PYSPARK = "pyspark==4.2.0"
"""The jars that spark_landing names belong to this version; it needs Java 17 or later."""


def land(bootstrap_servers: str, topic: str, table: Path, records_a_trigger: int) -> None:
    """Lands the whole topic. Raises EnvironmentFailed."""
    python, script = other_environment("spark", PYSPARK), Path(__file__).with_name("spark_landing.py")
    run([str(python), str(script), bootstrap_servers, topic, str(table), str(records_a_trigger)])
