"""deploy/ names what there is: settings, commands, ports, topics, files, and times that fit those of the processes."""

import importlib.util
import json
import re
import shutil
from itertools import chain
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped] # Dagster brings it, without types
from pydantic_settings import BaseSettings

from dagster_project.settings import DagsterSettings
from event_stream.topics import EVENTS
from ingest_api.service import service
from ingest_api.settings import CollectorSettings
from logektor.settings import StackSettings
from pipelines.landing.settings import LandingSettings
from query_api.settings import QuerySettings
from tests.deploy import containers
from tests.deploy.containers import COMPOSE, DEPLOY, KUBERNETES, OUR_IMAGE, Container
from tests.object_store import s3_server

ROLES: dict[str, type[BaseSettings]] = {
    "ingest_api": CollectorSettings,
    "pipelines.landing": LandingSettings,
    "query_api": QuerySettings,
    "logektor": StackSettings,
    "dagster": DagsterSettings,
    "dagster_webserver": DagsterSettings,
    "dagster._daemon": DagsterSettings,
    "celery": DagsterSettings,
}
CONTAINERS = [*containers.of_compose(), *containers.of_kubernetes()]
PORTS = {"collector": 8080, "query": 8000, "landing": 9101, "dagster-code": 4000, "dagster-webserver": 3000}
DOCKERFILES = [DEPLOY / "docker" / "Dockerfile", DEPLOY / "docker" / "minio.Dockerfile"]


def role(container: Container) -> str:
    words = container.command
    return words[2] if words[:2] == ("python", "-m") else words[0]


def variables(settings: type[BaseSettings]) -> set[str]:
    return {f"LOGEKTOR_{name.upper()}" for name in settings.model_fields}


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda each: each.name)
def test_each_command_is_one_and_is_told_nothing_that_it_does_not_read(container: Container) -> None:
    words = container.command
    if words[0] == "python" and words[1] == "-m":
        assert importlib.util.find_spec(words[2]) is not None
    else:
        assert words[0] in {"python", "logektor", "celery", "dagster"}
        assert shutil.which(words[0])
    if words[1] != "-c":
        told = {name for name in container.environment if name.startswith("LOGEKTOR_")}
        assert told <= variables(ROLES[role(container)])


def test_what_all_are_told_is_read_by_one() -> None:
    read = set().union(*map(variables, ROLES.values()))
    secrets = (KUBERNETES / "secrets.example.yaml").read_text(encoding="utf-8")
    told = {*containers.told_to_all(), *containers.told_by_the_image(), *re.findall(r"LOGEKTOR_[A-Z_]+", secrets)}
    assert {name for name in told if name.startswith("LOGEKTOR_")} <= read


def test_ports_are_those_that_the_processes_listen_on() -> None:
    image = containers.told_by_the_image()
    assert PORTS["collector"] == CollectorSettings.model_fields["collector_port"].default
    assert PORTS["query"] == QuerySettings.model_fields["query_port"].default
    assert str(PORTS["landing"]) == image["LOGEKTOR_LANDING_METRICS_PORT"]
    for container in containers.of_kubernetes():
        assert container.ports == {PORTS[container.name]} if container.name in PORTS else not container.ports
    code = [container for container in CONTAINERS if container.name == "dagster-code"]
    assert all(container.command[container.command.index("--port") + 1] == "4000" for container in code)
    assert containers.told_to_all()["DAGSTER_CODE_SERVER_PORT"] == "4000"
    upstreams = (DEPLOY / "compose" / "upstreams.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"server (\w+):(\d+) resolve", upstreams)) == {("collector", "8080"), ("query", "8000")}
    scraped = (DEPLOY / "compose" / "prometheus.yml").read_text(encoding="utf-8")
    found = re.findall(r"names: \[(\w+)\]\n +type: A\n +port: (\d+)", scraped)
    assert {(name, int(port)) for name, port in found} == {(name, PORTS[name]) for name in ("collector", "landing")}


def test_services_of_kubernetes_find_pods_and_ports() -> None:
    pods = containers.pods()
    found = [each for each in containers.objects() if each["kind"] == "Service"]
    assert {each["metadata"]["name"] for each in found} <= set(pods)
    for each in found:
        name = each["metadata"]["name"]
        assert each["spec"]["selector"] == {"app.kubernetes.io/name": name}
        assert each["spec"]["ports"][0]["port"] == PORTS[name]
    spoken_of = (KUBERNETES / "network.yaml").read_text(encoding="utf-8")
    named = set(chain(*(each.split(", ") for each in re.findall(r"values: \[([^]]+)\]", spoken_of))))
    assert named == set(pods)


def test_who_is_stopped_has_the_time_that_it_takes() -> None:
    takes: dict[str, type[BaseSettings]] = {"ingest_api": CollectorSettings, "pipelines.landing": LandingSettings}
    for container in CONTAINERS:
        if role(container) in takes:
            seconds: float = takes[role(container)].model_fields["stop_seconds"].default
            assert container.seconds > seconds + 1


def test_workers_are_as_many_as_stream_partitions_at_most() -> None:
    [scaled] = [each["spec"] for each in containers.objects() if each["kind"] == "ScaledObject"]
    told = containers.told_to_all()
    assert str(scaled["maxReplicaCount"]) == told["LOGEKTOR_KAFKA_TOPIC_PARTITIONS"]
    trigger = scaled["triggers"][0]["metadata"]
    assert trigger["topic"] == EVENTS.name
    assert trigger["consumerGroup"] == LandingSettings.model_fields["landing_group"].default
    assert trigger["bootstrapServers"] == told["LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS"]
    workers = containers.services()["landing"]["deploy"]["replicas"]
    assert workers <= CollectorSettings.model_fields["kafka_topic_partitions"].default


def test_the_world_reaches_every_path_of_a_collector_but_metrics() -> None:
    [ingress] = [
        each for each in containers.objects() if each["kind"] == "Ingress" and each["metadata"]["name"] == "collector"
    ]
    open_paths = [(each["path"], each["pathType"]) for each in ingress["spec"]["rules"][0]["http"]["paths"]]

    def is_open(path: str) -> bool:
        return any(path == each or (kind == "Prefix" and path.startswith(f"{each}/")) for each, kind in open_paths)

    paths: set[str] = set(service(lambda: True, bytes).openapi()["paths"])
    assert {path for path in paths if not is_open(path)} == {"/metrics"}


def test_every_image_is_an_exact_one() -> None:
    images = {each["image"] for each in containers.services().values()}
    for pod in containers.pods().values():
        ours = {each["image"] for each in (*pod["containers"], *pod.get("initContainers", ()))}
        assert ours == {OUR_IMAGE}
    for file in DOCKERFILES:
        stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", file.read_text(encoding="utf-8"), re.MULTILINE)
        images |= {image for image, _ in stages} - {name for _, name in stages}
    assert not [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)*$", image)]


def test_compose_has_the_versions_that_tests_run_on() -> None:
    minio = DOCKERFILES[1].read_text(encoding="utf-8")
    assert f"{s3_server.MODULE}@{s3_server.VERSION}" in minio
    lock = (DEPLOY.parent / "logektor" / "embedded_kafka" / "kafka.lock.json").read_text(encoding="utf-8")
    [kafka] = [jar["version"] for jar in json.loads(lock)["jars"] if jar["artifact"] == "kafka_2.13"]
    assert containers.services()["kafka"]["image"] == f"apache/kafka:{kafka}"


def test_every_file_that_is_mounted_is_there() -> None:
    mounts = [each for each_service in containers.services().values() for each in each_service.get("volumes", ())]
    files = [each.split(":")[0] for each in mounts if each.startswith(".")]
    assert files
    assert not [file for file in files if not (COMPOSE.parent / file).exists()]


def test_what_compose_waits_for_and_mounts_is_declared() -> None:
    """Docker Compose refuses such a file; its loader alone, which the tests run, does not."""
    declared = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    for name, described in declared["services"].items():
        waits = described.get("depends_on", {})
        for other, wait in waits.items() if isinstance(waits, dict) else [(each, {}) for each in waits]:
            assert other in declared["services"], name
            if wait.get("condition") == "service_healthy":
                assert "healthcheck" in declared["services"][other], f"{name} would wait for {other} for ever"
        named = {each.split(":")[0] for each in described.get("volumes", ()) if not each.startswith(".")}
        assert named <= set(declared["volumes"]), name
        assert set(described["networks"]) <= set(declared["networks"]), name


def test_no_secret_has_a_value() -> None:
    example = (COMPOSE.parent / ".env.example").read_text(encoding="utf-8")
    given = dict(line.split("=", 1) for line in example.splitlines() if "=" in line and not line.startswith("#"))
    asked = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text(encoding="utf-8")))
    assert asked | {"LISTEN_ON"} == set(given)
    assert {name for name, value in given.items() if not value} == {
        name for name in given if re.search("PASSWORD|KEY", name)
    }


def test_every_container_of_ours_is_locked_up() -> None:
    for name, described in containers.services().items():
        if described["image"] == OUR_IMAGE:
            assert described["read_only"], name
            assert described["cap_drop"] == ["ALL"], name
    for name, pod in containers.pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["resources"]["limits"]["memory"], name


def test_the_image_is_built_of_everything_that_the_wheel_holds() -> None:
    ignore = (DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8")
    project = (DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^packages = \[(.*)\]$", project, re.MULTILINE)
    assert listed is not None
    for package in re.findall(r'"(\w+)"', listed[1]):
        assert f"\n!{package}\n" in ignore
        assert Path(DEPLOY.parent / package).is_dir()
