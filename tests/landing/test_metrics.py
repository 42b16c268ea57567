"""What the worker counts is what it lands."""

from datetime import UTC, datetime

import httpx
import pytest
from confluent_kafka import KafkaException
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from event_stream.kafka_cluster import KafkaCluster
from event_stream.ports import Record, StreamPartition
from event_stream.topics import EVENTS
from logektor.embedded_kafka import free_port
from pipelines.landing import metrics
from pipelines.landing.batch import Batch
from pipelines.landing.metrics import LAG, Lag, count_landed, serving
from pipelines.landing.rows import to_rows

PLACE = StreamPartition("cluster/events", EVENTS.name, 1)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_landed_batch_is_counted_with_its_size_its_time_and_its_age() -> None:
    records = {PLACE: [Record(PLACE, 0, 100_000, b"poison"), Record(PLACE, 1, 101_000, b"{}")]}
    names = ("logektor_landing_batch_records_sum", "logektor_landing_seconds_sum", "logektor_landing_delay_seconds_sum")
    before = [value(name) for name in names]
    poison = value("logektor_landed_dead_letters_total", reason="undecodable")
    count_landed(Batch(records, {PLACE: 0}, {PLACE: 2}), to_rows(records, datetime.now(UTC)), 0.25, 103.5)
    assert [value(name) - was for name, was in zip(names, before, strict=True)] == pytest.approx([2, 0.25, 3.5])
    assert value("logektor_landed_dead_letters_total", reason="undecodable") == poison + 1


def test_the_lag_is_what_kafka_has_and_the_table_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    other = PLACE._replace(partition=2)
    monkeypatch.setattr(metrics, "read_ends", lambda *_, **__: {PLACE: 10, other: 5})
    port = free_port()
    with serving(port, "127.0.0.1", Lag(KafkaCluster(""), [EVENTS], lambda: {PLACE: 7, other: None})):
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    (lag,) = (family for family in text_string_to_metric_families(answer) if family.name == LAG)
    assert {sample.labels["partition"]: sample.value for sample in lag.samples} == {"1": 3, "2": 5}


def test_a_broker_that_does_not_answer_leaves_the_lag_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise KafkaException("away")

    monkeypatch.setattr(metrics, "read_ends", away)
    assert list(Lag(KafkaCluster(""), [EVENTS], dict).collect()) == []
