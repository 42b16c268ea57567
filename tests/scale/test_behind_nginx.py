"""Whatever process of a deployment dies under load: no event is lost or counted twice, and no read fails.

Real nginx with the configuration of deploy/nginx, a real Kafka, three collectors, three landing workers and two query
APIs. `uv run pytest -m scale` ends with a table.
"""

import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port
from tests.conftest import RunningKafka
from tests.ingest_api.test_countries import GEOLITE2, write
from tests.scale.conftest import Account, accepted_more, landed, load, read_more, running
from tests.scale.deployment import READY_SECONDS, Deployment, Role
from tests.scale.server_process import until

pytestmark = [pytest.mark.scale, pytest.mark.kafka]


@pytest.fixture(scope="module")
def broker(kafka_distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    embedded = EmbeddedKafka(kafka_distribution, tmp_path_factory.mktemp("scale-kafka"), free_port())
    kafka = RunningKafka(embedded.bootstrap_servers, embedded)
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture(scope="module")
def deployment(broker: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    countries = write(folder / "countries.mmdb", {"127.0.4.0/24": GEOLITE2, "127.0.5.0/24": {"country": "FR"}})
    told = {"LOGEKTOR_COUNTRY_FILE": str(countries)}
    with running(Deployment(folder, broker.bootstrap_servers, collector_settings=told)) as deployment:
        yield deployment


@pytest.mark.parametrize(("role", "count"), [("collector", 3), ("query_api", 2), ("worker", 3)])
def test_each_process_is_killed_in_turn(deployment: Deployment, account: Account, role: Role, count: int) -> None:
    with load(deployment, f"kill-{role}") as (writers, readers):
        for number in range(count):
            accepted_more(writers)
            deployment.kill(role, number)
            accepted_more(writers)
            read_more(readers)
            if role == "worker":
                before = landed(deployment.lake)
                until(lambda before=before: landed(deployment.lake) > before, "the others land", READY_SECONDS)  # type: ignore[misc]
            deployment.restart(role, number)
        accepted_more(writers)
    account(f"each {role} killed, started again", deployment, writers, readers)


def test_nginx_gets_its_configuration_anew(deployment: Deployment, account: Account) -> None:
    nginx = deployment.part("nginx")
    with load(deployment, "reload") as (writers, readers):
        accepted_more(writers)
        assert nginx.process is not None
        nginx.process.send_signal(signal.SIGHUP)
        accepted_more(writers)
        read_more(readers)
    account("nginx reloaded", deployment, writers, readers)


def test_a_collector_hangs_and_wakes_after_its_events_went_elsewhere(deployment: Deployment, account: Account) -> None:
    hanging = deployment.part("collector", 1)
    with load(deployment, "hang") as (writers, readers):
        accepted_more(writers)
        hanging.pause()
        try:
            time.sleep(10)  # Longer than nginx waits for an answer.
            accepted_more(writers)
        finally:
            hanging.resume()
        accepted_more(writers)
    assert "answered 504, 202" in deployment.part("nginx").said()
    account("a collector hangs, wakes", deployment, writers, readers)


def test_the_broker_is_killed_and_started_again(deployment: Deployment, broker: RunningKafka, account: Account) -> None:
    with load(deployment, "kill-broker") as (writers, readers):
        accepted_more(writers)
        broker.kill()
        accepted_more(writers)
        broker.start()
        accepted_more(writers)
    account("the broker killed, started again", deployment, writers, readers)


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.5.1"}, {"Forwarded": "for=127.0.5.1"}])
def test_a_visitor_is_where_nginx_saw_them_whatever_they_say(deployment: Deployment, headers: dict[str, str]) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.4.1")
    with httpx.Client(base_url=deployment.write_url, transport=transport, headers=headers) as client:
        seen = client.get("/whoami").json()
        page = {"Origin": "http://localhost"}
        (event,) = client.post("/track?dry_run=1", json={"action": "view"}, headers=page).json()["events"]
    assert (seen["clientIp"], seen["country"], event["country"]) == ("127.0.4.1", "DE", "DE")


def test_logs_name_no_client(deployment: Deployment) -> None:
    said = deployment.part("nginx").said()
    assert "POST /track 202" in said
    assert "127.0.1." not in said
    assert "127.0.2." not in said
