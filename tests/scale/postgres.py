"""A real PostgreSQL server on a folder of its own, as Debian installs it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logektor.embedded_kafka import free_port
from tests.scale.server_process import stop, until

_PASSWORD = "a-password-that-no-log-may-hold"
_OWNER = "postgres" if os.geteuid() == 0 else None
"""The server refuses to be run by root."""


def installed() -> Path | None:
    """The newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return found[-1] if found else None


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database, as SQLAlchemy wants it. TCP only; nothing is left behind."""
    programs = installed()
    assert programs is not None, "PostgreSQL is not installed"
    folder = Path(tempfile.mkdtemp(prefix="logektor-postgres-"))
    port = free_port()
    if _OWNER:
        shutil.chown(folder, _OWNER)
    password = folder / "password"
    password.write_text(_PASSWORD)
    data = str(folder / "data")
    log = (folder / "log.txt").open("wb")
    try:
        _run(
            programs / "initdb", "--pgdata", data, "--username=dagster", "--auth=scram-sha-256", f"--pwfile={password}"
        )
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *words], stdout=log, stderr=log, user=_OWNER, start_new_session=True
        )
        try:
            ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL")
            # The database of this name is always there, and empty.
            yield f"postgresql+psycopg2://dagster:{_PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            stop(server)
    finally:
        log.close()
        shutil.rmtree(folder)


def _run(*words: str | Path) -> None:
    subprocess.run(words, check=True, user=_OWNER, stdout=subprocess.DEVNULL)
