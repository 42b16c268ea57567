"""What compose.yaml and the Kubernetes manifests say of each container that runs our own image."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # Dagster brings it, without types

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"

OUR_IMAGE = "logektor:0.1.0"


@dataclass(frozen=True)
class Container:
    """A container of our own image. `ports`: where others reach it; `seconds`: how long it may take to end."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: frozenset[int]
    seconds: float


def services() -> dict[str, Any]:
    """The services of compose.yaml, with its merged parts and without values for its variables."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return found


def objects() -> list[dict[str, Any]]:
    """All objects of the Kubernetes manifests, the example of the secrets too."""
    files = [file for file in sorted(KUBERNETES.glob("*.yaml")) if file.name != "kustomization.yaml"]
    return [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def pods() -> dict[str, dict[str, Any]]:
    """The specification of each workload's pods, by the workload's name."""
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in objects() if _has_pods(each)}


def of_compose() -> Iterator[Container]:
    """Those of compose.yaml."""
    for name, service in services().items():
        if service["image"] == OUR_IMAGE:
            grace = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", service["stop_grace_period"])
            assert grace is not None
            seconds = 60.0 * int(grace[1] or 0) + int(grace[2] or 0)
            words = [*service.get("entrypoint", ()), *service["command"]]
            yield Container(name, tuple(words), service.get("environment", {}), frozenset(), seconds)


def of_kubernetes() -> Iterator[Container]:
    """Those of the manifests; the seconds before it is told to end are not counted."""
    for name, pod in pods().items():
        [container] = pod["containers"]
        before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        yield Container(
            name,
            tuple(container["command"]),
            {each["name"]: each["value"] for each in container.get("env", ())},
            frozenset(each["containerPort"] for each in container.get("ports", ())),
            pod.get("terminationGracePeriodSeconds", 30) - float(before[1]),
        )


def told_to_all() -> dict[str, str]:
    """What settings.env tells all pods."""
    lines = (KUBERNETES / "settings.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def told_by_the_image() -> dict[str, str]:
    """The variables that the Dockerfile sets."""
    return dict(re.findall(r"\b(LOGEKTOR_\w+)=(\S+)", DOCKERFILE.read_text(encoding="utf-8")))


def _has_pods(each: Mapping[str, Any]) -> bool:
    return each["kind"] in {"Deployment", "StatefulSet"}
