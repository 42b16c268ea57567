"""`python -m query_api`: what stops it does so with a sentence."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from logektor.embedded_kafka import free_port
from tests.query_api.conftest import Home, is_ready, running_server
from tests.scale.server_process import until


def run(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LOGEKTOR_HOME": str(home), **settings}
    command = [sys.executable, "-m", "query_api"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LOGEKTOR_QUERY_PORT", "http"),
        ("LOGEKTOR_QUERY_MAX_ROWS", "0"),
        ("LOGEKTOR_QUERY_SECONDS", "-1"),
        ("LOGEKTOR_COLLECTOR_URL", "javascript:alert(1)"),
    ],
)
def test_a_bad_setting_stops_it_with_one_sentence(tmp_path: Path, setting: str, value: str) -> None:
    stopped = run(tmp_path, **{setting: value})
    assert stopped.returncode == 2
    assert stopped.stderr.startswith(f"{setting}: ")
    assert len(stopped.stderr.splitlines()) == 1


def test_a_home_without_a_usable_token_or_sites_stops_it_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "read_token").write_text("nonsense")
    stopped = run(tmp_path)
    assert (stopped.returncode, len(stopped.stderr.splitlines())) == (2, 1)
    (tmp_path / "read_token").unlink()
    (tmp_path / "sites.toml").write_text("[[site]]\n")
    stopped = run(tmp_path)
    assert (stopped.returncode, len(stopped.stderr.splitlines())) == (2, 1)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stopped = run(tmp_path, LOGEKTOR_QUERY_PORT=str(taken.getsockname()[1]))
    assert stopped.returncode == 1
    assert "LOGEKTOR_QUERY_PORT" in stopped.stderr


def test_the_token_is_never_logged(own_home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    with running_server(own_home.path) as url:
        for path in ("/", "/api/reports", "/api/reports/traffic"):
            httpx.get(url + path, params={"token": own_home.token}, headers=own_home.bearer)
        httpx.get(url + "/api/reports", headers={"Authorization": "Bearer " + own_home.token + "x"})
    said = capfd.readouterr()
    assert own_home.token not in said.out + said.err


def test_a_worker_does_not_outlive_its_server(own_home: Home) -> None:
    port = free_port()
    environment = {**os.environ, "LOGEKTOR_HOME": str(own_home.path), "LOGEKTOR_QUERY_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "query_api"], env=environment)
    try:
        until(lambda: is_ready(f"http://127.0.0.1:{port}"), "the query API is ready", 60)
        workers = psutil.Process(process.pid).children()
    finally:
        process.kill()
        process.wait()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert gone
    assert not alive
