"""The command sends to a real Kafka, and to none that is not there."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from event_stream.codec import decode_event
from event_stream.topics import EVENTS
from lake.dead_letters import Selection, summarise
from logektor import replay as replaying
from logektor.__main__ import app
from logektor.embedded_kafka import free_port
from sites import register_site
from tests.conftest import RunningKafka
from tests.dead_letters.stream import Stream
from tests.ingest_api.running_collector import RunningCollector

LETTERS = 1_200


@pytest.mark.kafka
def test_what_was_refused_is_on_the_topic_once(
    kafka: RunningKafka, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    site = register_site(tmp_path / "sites.toml", f"{uuid4()}.example")
    for number in range(LETTERS):
        stream.reject(b'{"action":"view","properties":{"number":%d}}' % number, site=site.domain)
    stream.reject(b'{"action":"view","objectId":true}', site=site.domain)
    stream.land()
    command = ["replay", "--home", str(tmp_path), "--reason", "invalid", "--yes"]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    assert f"{LETTERS:,} sent" in said.output
    again = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(again.output) == {"valid": 0, "still_invalid": {"invalid": 1}, "sent": 0}

    on_topic = RunningCollector("", site, kafka.bootstrap_servers)
    events = [decode_event(value) for value in on_topic.values_with(EVENTS, site.domain.encode(), LETTERS)]
    numbers = sorted(json.loads(bytes(event.properties))["number"] for event in events)
    assert numbers == list(range(LETTERS))
    assert len({event.event_id for event in events}) == LETTERS
    assert [(each.letters, each.replayed) for each in summarise(stream.lake, Selection())] == [(LETTERS + 1, LETTERS)]


def test_a_kafka_that_is_away_is_told_and_nothing_is_recorded(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(replaying, "_KAFKA_SECONDS", 1.0)
    register_site(tmp_path / "sites.toml", "shop.example")
    stream.reject(b'{"action":"view"}')
    stream.land()
    said = CliRunner().invoke(app, ["replay", "--home", str(tmp_path), "--reason", "invalid", "--yes"])
    assert said.exit_code == 1
    assert "did not" in said.output
    assert not any(letter.replayed for letter in stream.letters())
