"""The command on a real Kafka and a real lake."""

import json
import uuid
from pathlib import Path

import pytest
from typer.testing import CliRunner

from event_stream.kafka_settings import TopicSettings
from event_stream.kafka_topics import ensure_topics
from lake.location import Lake
from lake.probe import keeps_one_of_two_commits
from logektor.__main__ import app
from logektor.doctor.look import look_at_dagster
from logektor.embedded_kafka import free_port
from sites import register_site
from tests.conftest import RunningKafka


def examined(home: Path, *options: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and of each check its level and words."""
    result = CliRunner().invoke(app, ["doctor", "--home", str(home), "--json", *options])
    return result.exit_code, {each["check"]: (each["level"], each["said"]) for each in json.loads(result.stdout)}


@pytest.mark.kafka
def test_a_deployment_is_looked_at_as_it_is(
    kafka: RunningKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_topics(kafka.cluster, TopicSettings().topics, 30)
    register_site(tmp_path / "sites.toml", "example.com")
    (tmp_path / "salts").mkdir()
    monkeypatch.setenv("LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("LOGEKTOR_LANDING_GROUP", uuid.uuid4().hex)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    code, said = examined(tmp_path)
    levels = {check: level for check, (level, _) in said.items()}
    disk = levels.pop("disk")
    assert disk in {"ok", "warning", "problem"}, "it is this machine's"
    levels.pop("clock", None)
    assert levels == {
        "kafka": "ok",
        "brokers": "warning",
        "topics": "ok",
        "durability": "warning",
        "workers": "problem",
        "salts": "ok",
        "lake": "ok",
        "commits": "ok",
        "tables": "warning",
        "versions": "ok",
        "sites": "ok",
    }
    assert code == 1
    assert not list((tmp_path / "lake").rglob("*.parquet"))


def test_a_kafka_that_is_away_is_said_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS", address)
    code, said = examined(tmp_path)
    assert code == 1
    assert said["kafka"][0] == "problem"
    assert f"Kafka at {address} does not answer" in said["kafka"][1]
    assert said["lake"][0] == "ok"


def test_a_person_reads_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOGEKTOR_LAKE_URI", str(tmp_path / "file" / "lake"))
    result = CliRunner().invoke(app, ["doctor", "--home", str(tmp_path)])
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "→ Start it, and correct LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS" in said
    assert "→ Correct LOGEKTOR_LAKE_URI" in said


def test_of_two_commits_of_one_version_one_succeeds_and_no_trace_is_left(tmp_path: Path) -> None:
    assert keeps_one_of_two_commits(Lake(str(tmp_path / "lake")))
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_the_storage_of_dagster_is_asked(tmp_path: Path) -> None:
    assert look_at_dagster(tmp_path) is None
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    answered = look_at_dagster(tmp_path)
    assert answered is not None
    assert answered.trouble is None
    (tmp_path / "dagster.yaml").write_text("run_storage: {module: nowhere, class: Storage}\n")
    failed = look_at_dagster(tmp_path)
    assert failed is not None
    assert "does not answer" in str(failed.trouble)
