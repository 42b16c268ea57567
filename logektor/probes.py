"""Looks from outside whether a part is well. Each answers within a second and never raises."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from confluent_kafka import KafkaException

from event_stream.kafka_admin import KafkaAdmin
from event_stream.kafka_cluster import KafkaCluster

_SECONDS = 0.9


def http_ok(url: str) -> bool:
    """Whether a GET is answered with a status below 300."""
    try:
        return httpx.get(url, timeout=_SECONDS).status_code < 300
    except httpx.HTTPError:
        return False


def listens(port: int) -> bool:
    """Whether a program takes connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kafka_answers(cluster: KafkaCluster) -> bool:
    """Whether a broker of the cluster answers."""
    try:
        return bool(KafkaAdmin(cluster).client.list_topics(timeout=_SECONDS).brokers)
    except KafkaException:
        return False


def dagster_daemon_healthy(dagster_url: str) -> bool:
    """Whether the Dagster daemon's sensors, schedules and run queue are alive, as the UI's own API says."""
    query = "{instance{daemonHealth{allDaemonStatuses{daemonType required healthy}}}}"
    try:
        answer = httpx.post(f"{dagster_url}/graphql", json={"query": query}, timeout=_SECONDS).json()
        statuses = answer["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False
    return all(status["healthy"] for status in statuses if status["required"])


def written_lately(path: Path, field: str, seconds: float, now: Callable[[], float] = time.time) -> bool:
    """Whether a JSON file's instant (Unix seconds) is at most so many seconds old."""
    try:
        return now() - float(json.loads(path.read_text(encoding="utf-8"))[field]) <= seconds
    except (OSError, ValueError, KeyError, TypeError):
        return False
