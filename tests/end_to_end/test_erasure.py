"""Who was erased is in no file of a home that lived, but in Kafka's own log, until that has forgotten."""

import json
import os
import re
import signal
import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import Stack, until
from tests.refresh.traces import traces

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WHO = "visitor-4711-to-be-forgotten"


@pytest.fixture
def own_stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "home")


def send(stack: Stack, **fields: object) -> None:
    event = {"action": "pageview", "url": f"https://localhost/of/{WHO}", "visitorId": WHO, "userId": WHO, **fields}
    answer = httpx.post(stack.url("/track", "collector"), json=event, params={"visitor": WHO}, timeout=30)
    assert answer.status_code in (202, 400), answer.text


def kafka_pid(stack: Stack) -> int:
    parts = json.loads((stack.home / "up.json").read_text(encoding="utf-8"))["parts"]
    return next(int(part["pid"]) for part in parts if part["name"] == "kafka")


def landed(stack: Stack) -> tuple[int, int]:
    rows = stack.status()["rows"]
    return int(rows["event"]), int(rows["dead_letter"])


def runs_unfinished(stack: Stack) -> int:
    with sqlite3.connect(f"file:{stack.home}/dagster/history/runs.db?mode=ro", uri=True) as history:
        (count,) = history.execute(
            "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
        ).fetchone()
    return int(count)


def files_with_parquet(stack: Stack) -> set[str]:
    return {file.parent.name for file in (stack.home / "reports_parquet").rglob("*.parquet")}


def test_after_an_erasure_the_id_is_in_no_file_but_kafkas_own(own_stack: Stack) -> None:
    stack = own_stack
    try:
        stack.start()
        for _ in range(3):
            send(stack)
        send(stack, objectId=True)
        send(stack, visitorId="stays", userId=None, url="https://localhost/")
        until(lambda: landed(stack) == (4, 1), 60, "all is landed", every=1.0)
        os.kill(kafka_pid(stack), signal.SIGKILL)
        send(stack)
        assert [*(stack.home / "spool").glob("*.sqlite3")]
        until(stack.all_healthy, 90, "Kafka is back")
        until(lambda: landed(stack) == (5, 1), 60, "what was in the spool is landed", every=1.0)
        until(lambda: "actions" in files_with_parquet(stack) and runs_unfinished(stack) == 0, 120, "a refresh", 1.0)
        until(lambda: not [*(stack.home / "spool").glob("*.sqlite3")], 30, "the spool is empty")

        said = " ".join(stack.run("erase", "--visitor", WHO, "--yes").stdout.split())
        assert "Erased: 4 raw events and 1 dead letters" in said
        assert not re.search("Erase again|younger than an hour", said), said
        assert stack.run("audit").returncode == 0
        stack.stop()
        found = traces(stack.home, WHO)
        assert found
        assert {Path(trace).parts[0] for trace in found} == {"kafka"}
        assert traces(stack.home / "reports_parquet", "stays") == []
        assert traces(stack.home / "lake", "stays")
    finally:
        stack.end()
