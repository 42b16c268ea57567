"""The parts of the one-machine stack, and how each is run and watched."""

import sys
from collections.abc import Mapping

from logektor.embedded_kafka import EmbeddedKafka
from logektor.part import Part
from logektor.probes import dagster_daemon_healthy, http_ok, kafka_answers, listens, written_lately
from logektor.settings import StackSettings

HEARTBEAT_SECONDS = 10.0
"""How old the landing worker's sign of life may be."""

STUCK_SECONDS = 30.0
"""How long the landing worker may give no sign of life before it is killed; a kill costs it nothing but time."""


def environment(settings: StackSettings, up_pid: int) -> Mapping[str, str]:
    """What every part is told."""
    return {
        "LOGEKTOR_HOME": str(settings.home),
        "LOGEKTOR_LAKE_URI": settings.lake,
        "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "LOGEKTOR_COLLECTOR_HOST": settings.host,
        "LOGEKTOR_COLLECTOR_PORT": str(settings.collector_port),
        "LOGEKTOR_COLLECTOR_URL": settings.collector_for_websites,
        "LOGEKTOR_QUERY_HOST": settings.host,
        "LOGEKTOR_QUERY_PORT": str(settings.query_port),
        "LOGEKTOR_QUERY_URL": settings.query_url,
        "LOGEKTOR_DEFAULT_SITE": settings.default_site,
        "LOGEKTOR_UP_PID": str(up_pid),
        "DAGSTER_HOME": str(settings.home / "dagster"),
        "PYTHONUNBUFFERED": "1",
    }


def parts(settings: StackSettings, kafka: EmbeddedKafka | None, code_port: int, up_pid: int, demo: bool) -> list[Part]:
    """All parts in the order of a status table. `kafka` is None where a given cluster is used.

    Dagster's code is loaded once, by a code server on `code_port` of 127.0.0.1 that UI and daemon share.
    """
    told = environment(settings, up_pid)
    after_kafka = ("kafka",) if kafka is not None else ()
    workspace = ("--workspace", str(settings.home / "dagster" / "workspace.yaml"))
    listed = [
        Part(
            "collector",
            _module("ingest_api"),
            lambda: http_ok(f"{settings.collector_here}/health/ready"),
            told,
            after=after_kafka,
        ),
        Part(
            "landing",
            _module("pipelines.landing"),
            lambda: written_lately(settings.home / "landing.json", "updated_at", HEARTBEAT_SECONDS),
            told,
            after=after_kafka,
            stop_stage=1,
            stuck_after=STUCK_SECONDS,
        ),
        Part("query", _module("query_api"), lambda: http_ok(f"{settings.query_url}/health/ready"), told),
        Part(
            "dagster-code",
            (
                *_module("dagster", "api", "grpc", "--module-name", "dagster_project.definitions"),
                *("--host", "127.0.0.1", "--port", str(code_port), "--location-name", "logektor"),
            ),
            lambda: listens(code_port),
            told,
            stop_stage=1,
        ),
        Part(
            "dagster-ui",
            (
                *_module("dagster_webserver", "--host", settings.host, "--port", str(settings.dagster_port)),
                *workspace,
            ),
            lambda: http_ok(f"{settings.dagster_url}/server_info"),
            told,
            after=("dagster-code",),
        ),
        Part(
            "dagster-daemon",
            (*_module("dagster._daemon", "run"), *workspace),
            lambda: dagster_daemon_healthy(settings.dagster_url),
            told,
            after=("dagster-code",),
        ),
    ]
    if kafka is not None:
        listed.insert(
            0,
            Part("kafka", tuple(kafka.command()), lambda: kafka_answers(settings.kafka), told, stop_stage=2),
        )
    if demo:
        listed.append(Part("demo-traffic", _module("logektor.demo_traffic"), lambda: True, told, after=("collector",)))
    return listed


def _module(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *words)


def dagster_workspace(code_port: int) -> str:
    """The workspace.yaml of UI and daemon: they share one code server."""
    return f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {code_port}, location_name: logektor}}\n"
