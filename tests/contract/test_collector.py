"""The collector's contract over HTTP and Kafka alone: of ours, or of whatever answers at `--collector-url`.

Another one is started with the default site `localhost`, and told with `--collector-kafka` where its records go.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from event_stream.codec import decode_event
from event_stream.event import Event
from event_stream.rejection import Rejection, decode_rejection
from event_stream.topics import EVENTS, REJECTED
from tests.conftest import RunningKafka
from tests.ingest_api.collector_process import collecting

pytestmark = pytest.mark.kafka


@dataclass(frozen=True)
class Collector:
    """Where it answers, and the broker that its records are on."""

    url: str
    kafka: str

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)

    def event(self, event_id: str) -> tuple[bytes | None, Event]:
        """The key and the one event of an id on the topic."""
        values = [(key, value) for key, value in records(self.kafka, EVENTS.name) if event_id.encode() in value]
        ((key, value),) = values
        return key, decode_event(value)

    def rejection(self, mark: str) -> Rejection:
        """The one rejection of a body that holds a mark."""
        kept = [decode_rejection(value) for _, value in records(self.kafka, REJECTED.name)]
        (found,) = (each for each in kept if mark.encode() in each.body)
        return found


def records(kafka: str, topic: str) -> list[tuple[bytes | None, bytes]]:
    """Key and value of all records that a topic holds."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "contract", "enable.auto.commit": False})
    found = []
    try:
        for number in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
            first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)
            consumer.assign([TopicPartition(topic, number, first)])
            while first < end:
                for record in consumer.consume(1_000, 1.0):
                    assert record.error() is None
                    found.append((record.key(), record.value() or b""))
                    first = (record.offset() or 0) + 1
    finally:
        consumer.close()
    return found


@pytest.fixture(scope="module")
def collector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    url = request.config.getoption("--collector-url")
    if url is not None:
        yield Collector(url.rstrip("/"), request.config.getoption("--collector-kafka"))
        return
    kafka: RunningKafka = request.getfixturevalue("kafka")
    with collecting(tmp_path_factory.mktemp("contract") / "home", kafka.bootstrap_servers) as ours:
        yield Collector(ours.url, kafka.bootstrap_servers)


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


def seed(event_id: str, **more: object) -> Mapping[str, Any]:
    who = {"objectId": 2, "objectType": "user", "action": "view", "subjectId": 2, "subjectType": "article"}
    return {**who, "eventId": event_id, **more}


def test_a_202_is_said_of_what_kafka_holds(collector: Collector, mark: str) -> None:
    before = time.time()
    assert collector.post("/track", seed(mark, visitorId="v1")).status_code == 202
    key, event = collector.event(mark)
    assert key == b"localhost\x1fv1"
    assert (event.event_id, event.site, event.action) == (mark, "localhost", "view")
    assert (event.object_type, event.object_id, event.subject_type, event.subject_id) == ("user", "2", "article", "2")
    assert before - 5 <= event.received_at / 1_000_000 <= time.time() + 5
    assert event.occurred_at == event.received_at


def test_an_event_without_id_gets_one(collector: Collector, mark: str) -> None:
    body = {name: value for name, value in seed(mark, userId=mark).items() if name != "eventId"}
    assert collector.post("/track", body).status_code == 202
    _, event = collector.event(mark)
    assert event.event_id not in (None, "", mark)
    assert event.user_id == mark


def test_properties_travel_as_they_came(collector: Collector, mark: str) -> None:
    assert collector.post("/track", seed(mark, properties={"a": [1, {"b": "€"}]})).status_code == 202
    assert '"a":[1,{"b":"€"}]' in bytes(collector.event(mark)[1].properties or b"").decode().replace(" ", "")


def test_a_batch_says_which_were_refused_and_keeps_both(collector: Collector, mark: str) -> None:
    answer = collector.post("/batch", [seed(f"{mark}a"), {"eventId": f"{mark}b"}, seed(f"{mark}c")])
    assert answer.status_code == 202
    said = answer.json()
    assert (said["accepted"], [each["index"] for each in said["rejected"]]) == (2, [1])
    assert collector.event(f"{mark}a")[1].event_id == f"{mark}a"
    assert collector.event(f"{mark}c")[1].event_id == f"{mark}c"
    assert collector.rejection(f"{mark}b").reason


def test_what_can_never_be_accepted_is_400_and_kept_with_its_bytes(collector: Collector, mark: str) -> None:
    body = b'{"eventId": "' + mark.encode()
    assert httpx.post(f"{collector.url}/track", content=body, timeout=30).status_code == 400
    assert collector.rejection(mark).body == body


def test_an_unknown_key_is_refused_visibly(collector: Collector, mark: str) -> None:
    answer = collector.post("/track", seed(mark), Authorization="Bearer nobody-has-this-key")
    assert answer.status_code == 401


def test_no_address_of_a_client_is_on_the_stream(collector: Collector, mark: str) -> None:
    assert collector.post("/track", seed(mark)).status_code == 202
    for _, value in records(collector.kafka, EVENTS.name):
        if mark.encode() in value:
            assert b"127.0.0.1" not in value


def test_health_tells_a_balancer_what_it_needs(collector: Collector) -> None:
    assert {httpx.get(f"{collector.url}/health/{kind}").status_code for kind in ("live", "ready")} == {200}
