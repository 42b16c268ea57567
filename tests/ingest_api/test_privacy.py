"""What nobody may learn of a visitor, shown with real collectors on a real Kafka."""

import base64
import socket
from pathlib import Path

import httpx
import pytest

from event_stream.codec import decode_event
from event_stream.event import Event
from event_stream.topics import EVENTS
from tests.conftest import RunningKafka
from tests.event_stream.test_writer_contract import stored_in_kafka
from tests.ingest_api.collector_process import CollectorProcess, collecting, until
from tests.ingest_api.test_countries import write

pytestmark = pytest.mark.kafka

PROXY = "127.0.0.9"
CLIENT = "203.0.113.77"
NAMED_BY_A_SERVER = "198.51.100.66"
CLAIMED = "192.0.2.55"

PAGE = {"origin": "https://example.com", "user-agent": "Secretive/1.0"}
BEHIND_A_PROXY = {**PAGE, "x-forwarded-for": f"{CLAIMED}, {CLIENT}"}


def client_of(collector: CollectorProcess) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=PROXY)
    return httpx.Client(transport=transport, base_url=collector.url, timeout=20)


def page_view(collector: CollectorProcess, name: str) -> None:
    with client_of(collector) as client:
        answer = client.post("/track", json={"action": "pageview", "eventId": name}, headers=BEHIND_A_PROXY)
    assert answer.status_code == 202


def events(kafka: RunningKafka) -> dict[str, Event]:
    logs = stored_in_kafka(kafka.bootstrap_servers, EVENTS.name)
    return {event.event_id: event for log in logs for event in map(decode_event, log)}


def test_two_collectors_of_a_deployment_know_a_visitor_by_one_id(own_kafka: RunningKafka, tmp_path: Path) -> None:
    settings = {"LOGEKTOR_TRUSTED_PROXIES": "127.0.0.0/8"}
    with collecting(tmp_path / "one", own_kafka.bootstrap_servers, **settings) as one:
        page_view(one, "by one")
        with collecting(tmp_path / "other", own_kafka.bootstrap_servers, **settings) as other:
            page_view(other, "by the other")
    # A host that is new to a running deployment, while nobody else is there to ask.
    with collecting(tmp_path / "third", own_kafka.bootstrap_servers, **settings) as third:
        page_view(third, "by the third")
    stored = events(own_kafka)
    (visitor_id,) = {stored[name].visitor_id for name in ("by one", "by the other", "by the third")}
    assert visitor_id is not None


def test_no_address_key_or_salt_is_in_the_log_in_the_metrics_or_in_an_event(
    own_kafka: RunningKafka, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    settings = {
        "LOGEKTOR_TRUSTED_PROXIES": PROXY,
        "LOGEKTOR_COUNTRY_FILE": str(
            write(tmp_path / "countries.mmdb", {f"{CLIENT}/32": {"country": {"iso_code": "DE"}}})
        ),
        "LOGEKTOR_DELIVERY_SECONDS": "0.5",
        "LOGEKTOR_MAX_BODY_BYTES": "2000",
    }
    with collecting(home, own_kafka.bootstrap_servers, **settings) as collector:
        assert _all_kinds(collector) == [202, 202, 202, 401, 401, 400, 413, 415, 404]
        until(lambda: len(list((home / "salts").iterdir())) >= 2, 30, "the salts are on disk")
        secrets = _secrets(home)
        own_kafka.kill()
        until(lambda: not collector.kafka_up(), 30, "the collector sees that Kafka is away")
        assert _all_kinds(collector)[3:5] == [401, 401]
        (tmp_path / "countries.mmdb").write_bytes(b"")
        until(lambda: collector.metric("logektor_country_file_trouble") == 1, 30, "a bad country file is seen")
        own_kafka.start()
        until(collector.kafka_up, 60, "the collector sees that Kafka is back")
        page_view(collector, "afterwards")
        until(lambda: collector.metric("logektor_spool_records") == 0, 60, "Kafka has what the spool took")
        metrics = httpx.get(f"{collector.url}/metrics").text
    log = collector.log.read_text()
    assert "is away" in log
    stored = events(own_kafka)
    assert stored["afterwards"].country == "DE"
    said = {"log": log, "metrics": metrics, "events": "".join(map(repr, stored.values()))}
    for place, text in said.items():
        assert not [secret for secret in secrets if secret in text], place
    assert "Secretive" not in log + metrics


def _all_kinds(collector: CollectorProcess) -> list[int]:
    """Requests of every kind, good and bad; answers their statuses."""
    with socket.create_connection(
        ("127.0.0.1", int(collector.url.rsplit(":", 1)[1])), source_address=(PROXY, 0)
    ) as raw:
        raw.sendall(f"POST /track?key=pk_unheard NONSENSE {CLIENT}\r\n\r\n".encode())
        raw.recv(1_000)
    server = {"authorization": "Bearer sk_example"}
    named = {"action": "x", "clientIp": NAMED_BY_A_SERVER, "userAgent": "Secretive/1.0"}
    unheard = {**BEHIND_A_PROXY, "authorization": "Bearer pk_unheard"}
    with client_of(collector) as client:
        return [
            client.post("/track", json={"action": "pageview"}, headers=BEHIND_A_PROXY).status_code,
            client.post("/track", json=named, headers=server).status_code,
            client.post("/batch?key=pk_example", json=[{"action": "x"}, {"action": ""}], headers=PAGE).status_code,
            client.post("/track", json={"action": "x"}, headers=unheard).status_code,
            client.post("/track?key=pk_unheard", json={"action": "x"}, headers=BEHIND_A_PROXY).status_code,
            client.post("/track?key=pk_example", content=b"{", headers=BEHIND_A_PROXY).status_code,
            client.post("/track?key=pk_example", content=b"x" * 3_000, headers=BEHIND_A_PROXY).status_code,
            client.post("/track", content=b"x", headers={**unheard, "content-type": "image/png"}).status_code,
            client.get("/nowhere?key=pk_example", headers=BEHIND_A_PROXY).status_code,
        ]


def _secrets(home: Path) -> list[str]:
    salts = [file.read_bytes() for file in (home / "salts").iterdir()]
    as_text = [text for salt in salts for text in (salt.hex(), base64.b64encode(salt).decode(), repr(salt)[2:-1])]
    keys = ["sk_example", "pk_example", "sk_localhost", "pk_localhost", "pk_unheard"]
    return [PROXY, CLIENT, NAMED_BY_A_SERVER, CLAIMED, *keys, *as_text]
