"""A real Redis server that keeps nothing."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logektor.embedded_kafka import free_port
from logektor.probes import listens
from tests.scale.server_process import stop, until


def installed() -> str | None:
    """The program, where there is one on this machine."""
    return shutil.which("redis-server")


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Its URL; `folder` takes its log."""
    program = installed()
    assert program is not None, "Redis is not installed"
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": folder}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with (folder / "redis.txt").open("wb") as log:
        server = subprocess.Popen([program, *words], stdout=log, stderr=log, start_new_session=True)
        try:
            until(lambda: listens(port), "Redis")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            stop(server)
