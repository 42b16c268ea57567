"""The stack as a whole: crashes are mended and shown, a stop is quick and in order, and everything is kept."""

import json
import os
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from tests.end_to_end.conftest import Stack, until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def own_stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "home")


def part(stack: Stack, name: str) -> dict[str, object]:
    parts = json.loads((stack.home / "up.json").read_text(encoding="utf-8"))["parts"]
    return next(part for part in parts if part["name"] == name)


def send(stack: Stack, count: int, prefix: str) -> None:
    events = [
        {"eventId": f"{prefix}{number}", "objectType": "user", "objectId": number, "action": "view"}
        for number in range(count)
    ]
    answer = httpx.post(stack.url("/batch", "collector"), json=events, timeout=30)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == count


def landed(stack: Stack) -> int:
    return int(stack.status()["rows"].get("event", 0))


def test_state_survives_kills_of_every_part_and_of_up_itself(own_stack: Stack) -> None:
    stack = own_stack
    try:
        stack.start()
        send(stack, 500, "a")
        for name in ("landing", "collector", "kafka", "query", "dagster-daemon"):
            pid = part(stack, name)["pid"]
            assert isinstance(pid, int)
            os.kill(pid, signal.SIGKILL)
            until(lambda: part(stack, name)["restarts"] == 1, 30, f"{name} is seen to be gone")  # noqa: B023
        until(stack.all_healthy, 90, "every part is back")
        assert "stopped by itself" in (stack.home.parent / "up.txt").read_text(encoding="utf-8")
        send(stack, 500, "b")
        until(lambda: landed(stack) == 1_000, 60, "both batches are landed", every=1.0)

        second = stack.run("up", check=False)
        assert second.returncode == 1
        assert "already running" in second.stderr

        assert stack.process is not None
        stack.process.kill()
        stack.process.wait(10)
        stack.start()
        send(stack, 500, "c")
        until(lambda: landed(stack) == 1_500, 60, "the third batch is landed too", every=1.0)
        assert stack.run("audit").returncode == 0

        pids = [each["pid"] for each in json.loads((stack.home / "up.json").read_text(encoding="utf-8"))["parts"]]
        assert stack.stop() <= 15
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert stack.run("status", check=False).returncode == 1
    finally:
        stack.end()


def test_a_taken_port_is_a_sentence_that_says_what_to_do(own_stack: Stack) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own_stack.ports["query"]))
        taken.listen()
        refused = own_stack.run("up", check=False)
    assert refused.returncode == 1
    assert f"Port {own_stack.ports['query']} (query)" in refused.stderr
    assert "--query-port" in refused.stderr


def test_a_bad_setting_stops_with_a_sentence(own_stack: Stack) -> None:
    own_stack.ports["query"] = 99_999
    refused = own_stack.run("up", check=False)
    assert refused.returncode == 2
    assert "LOGEKTOR_QUERY_PORT" in refused.stderr
    assert "Traceback" not in refused.stderr
