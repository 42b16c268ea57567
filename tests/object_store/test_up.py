"""The whole stack on an object store: `logektor up` with the environment that its users set."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from lake.location import Lake
from sites import register_site
from tests.end_to_end.conftest import Stack, until
from tests.object_store.s3_server import S3Server

pytestmark = [pytest.mark.s3, pytest.mark.kafka]

COUNT = 100


def test_what_is_sent_becomes_a_report_and_no_secret_is_written_down(
    lake: Lake, shared_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stack = Stack(tmp_path / "home")
    stack.home.mkdir()
    register_site(stack.home / "sites.toml", "localhost")
    try:
        stack.start()
        # Another terminal knows the store, and finds the lake of the `up` that runs.
        monkeypatch.delenv("LOGEKTOR_LAKE_URI")
        events = [{"eventId": f"event-{number}", "objectType": "user", "objectId": number, "action": "view"}
                  for number in range(COUNT)]  # fmt: skip
        answer = httpx.post(stack.url("/batch", "collector"), json=events, timeout=30)
        assert (answer.status_code, answer.json()["accepted"]) == (202, COUNT)
        today = datetime.now(UTC).date()
        days = ((today - timedelta(days=1)).isoformat(), (today + timedelta(days=1)).isoformat())
        rows = until(lambda: stack.report("actions", "localhost", *days), 150, "a report of what was sent", every=1.0)
        assert sum(row["events"] for row in rows) == COUNT
        status = stack.status()
        assert (status["rows"]["event"], status["lag"]) == (COUNT, 0)
        audited = stack.run("audit")
        assert f"{COUNT} records, each landed once" in audited.stdout
        assert lake.uri in (stack.home.parent / "up.txt").read_text(encoding="utf-8")
        assert stack.stop() <= 15
    finally:
        stack.end()
    assert not (stack.home / "lake").exists()
    kept = [file for file in stack.home.parent.rglob("*") if file.is_file()]
    assert any(file.name == "landing.log" for file in kept)
    secret = shared_server.secret.encode()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == shared_server.secret
    assert not [file for file in kept if secret in file.read_bytes()]
