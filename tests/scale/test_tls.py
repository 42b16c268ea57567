"""A Kafka that asks who is there: collector and worker by password over TLS, and by certificate; with keys of our own.

The wrong ones are told in a sentence, at once.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented, not exported by type
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from event_stream.kafka_admin import KafkaAdmin
from lake.audit import audit
from lake.location import Lake
from lake.raw import count_landed
from logektor.embedded_kafka import Distribution, EmbeddedKafka, free_port
from tests.conftest import RunningKafka
from tests.ingest_api.collector_process import collecting, running, until
from tests.ingest_api.conftest import SEED

pytestmark = [pytest.mark.scale, pytest.mark.kafka]

SECONDS = 60.0
PASSWORD = "correct horse"


@dataclass(frozen=True)
class Guarded:
    """A broker with a listener for passwords and one for certificates, and the folder of the keys."""

    passwords: str
    certificates: str
    keys: Path

    def by_password(self, mechanism: str, password: str = PASSWORD, authority: str = "ca") -> Mapping[str, str]:
        return {
            "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": self.passwords,
            "LOGEKTOR_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "LOGEKTOR_KAFKA_CA_FILE": str(self.keys / f"{authority}.pem"),
            "LOGEKTOR_KAFKA_SASL_MECHANISM": mechanism,
            "LOGEKTOR_KAFKA_SASL_USERNAME": "logektor",
            "LOGEKTOR_KAFKA_SASL_PASSWORD": password,
        }

    def by_certificate(self, name: str = "client") -> Mapping[str, str]:
        return {
            "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": self.certificates,
            "LOGEKTOR_KAFKA_SECURITY_PROTOCOL": "SSL",
            "LOGEKTOR_KAFKA_CA_FILE": str(self.keys / "ca.pem"),
            "LOGEKTOR_KAFKA_CERTIFICATE_FILE": str(self.keys / f"{name}.pem"),
            "LOGEKTOR_KAFKA_KEY_FILE": str(self.keys / f"{name}.key"),
        }


def make_keys(folder: Path) -> None:
    """Two authorities, and a server and clients that they sign: `stranger` is of the one that nobody knows."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, stderr=subprocess.DEVNULL)  # noqa: S607

    def key(name: str) -> list[str]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", f"{name}.key"]

    for name in ("ca", "unknown"):
        openssl("req", "-x509", *key(name), "-subj", f"/CN={name}", "-out", f"{name}.pem")
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "unknown")):
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
        signed = ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key"]
        openssl("req", "-x509", *key(name), *signed, "-subj", f"/CN={name}", *names, "-out", f"{name}.pem")
    (folder / "server.both").write_text((folder / "server.key").read_text() + (folder / "server.pem").read_text())


@pytest.fixture(scope="module")
def guarded(kafka_distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    keys = tmp_path_factory.mktemp("keys")
    make_keys(keys)
    plain, passwords, certificates, controller = (free_port() for _ in range(4))
    listeners = {"BROKER": plain, "PASSWORDS": passwords, "CERTIFICATES": certificates}
    advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
    security = "org.apache.kafka.common.security"
    properties = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"{advertised},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,PASSWORDS:SASL_SSL,CERTIFICATES:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys / "server.both"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(keys / "ca.pem"),
        "listener.name.certificates.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.passwords.plain.sasl.jaas.config": f"{security}.plain.PlainLoginModule required "
        f'user_logektor="{PASSWORD}";',
        "listener.name.passwords.scram-sha-512.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
    }
    broker = EmbeddedKafka(kafka_distribution, tmp_path_factory.mktemp("guarded"), plain, properties)
    kafka = RunningKafka(broker.bootstrap_servers, broker)
    try:
        kafka.start()
        secret = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        user = UserScramCredentialUpsertion("logektor", secret, PASSWORD.encode())
        for made in KafkaAdmin(kafka.cluster).client.alter_user_scram_credentials([user]).values():
            made.result()
        yield Guarded(f"127.0.0.1:{passwords}", f"127.0.0.1:{certificates}", keys)
    finally:
        if kafka.processes:
            kafka.kill()


def worker(home: Path, log: Path, told: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"LOGEKTOR_HOME": str(home), **told}
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", "pipelines.landing"], env=environment, stdout=file, stderr=file)


def test_an_event_is_landed_by_password_and_by_certificate(guarded: Guarded, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    ways = [guarded.by_password("SCRAM-SHA-512"), guarded.by_certificate(), guarded.by_password("PLAIN")]
    for number, told in enumerate(ways):
        home = tmp_path / f"home-{number}"
        log = tmp_path / f"worker-{number}.log"
        with collecting(home, told["LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS"], **told) as collector:
            assert httpx.post(f"{collector.url}/track", json=SEED, timeout=20).status_code == 202
            landing = worker(home, log, {**told, "LOGEKTOR_LAKE_URI": lake.uri})
            try:
                until(lambda count=number: count_landed(lake)["event"] > count, SECONDS, "it is landed")  # type: ignore[misc]
            finally:
                landing.terminate()
                landing.wait(SECONDS)
        assert PASSWORD not in log.read_text() + collector.log.read_text()
    assert audit(lake).exact


def test_a_worker_that_is_not_believed_says_so_and_ends(guarded: Guarded, tmp_path: Path) -> None:
    cases = {
        "Check LOGEKTOR_KAFKA_SASL_MECHANISM, LOGEKTOR_KAFKA_SASL_USERNAME and LOGEKTOR_KAFKA_SASL_PASSWORD.": (
            guarded.by_password("SCRAM-SHA-512", password="wrong")
        ),
        "certificate verify failed": guarded.by_password("PLAIN", authority="unknown"),
        "Check LOGEKTOR_KAFKA_CA_FILE, and LOGEKTOR_KAFKA_CERTIFICATE_FILE": guarded.by_certificate("stranger"),
    }
    logs = {words: tmp_path / f"{number}.log" for number, words in enumerate(cases)}
    began = time.monotonic()
    workers = {
        words: worker(tmp_path, logs[words], {**told, "LOGEKTOR_LANDING_START_SECONDS": "300"})
        for words, told in cases.items()
    }
    for words, process in workers.items():
        assert process.wait(SECONDS) == 1, words
        last = logs[words].read_text().splitlines()[-1]
        assert last.startswith("Kafka at 127.0.0.1:")
        assert words in last
        assert "wrong" not in last
    assert time.monotonic() - began < SECONDS


def test_a_collector_that_is_not_believed_says_so_once_and_keeps_its_events(guarded: Guarded, tmp_path: Path) -> None:
    told = guarded.by_password("SCRAM-SHA-512", password="wrong")
    home = tmp_path / "home"
    with running(home, guarded.passwords, **told) as collector:
        until(lambda: "LOGEKTOR_KAFKA_SASL_PASSWORD" in collector.log.read_text(), SECONDS, "it says why")
        assert httpx.post(f"{collector.url}/track", json=SEED, timeout=20).status_code == 202
        assert not collector.kafka_up()
    assert collector.log.read_text().count("LOGEKTOR_KAFKA_SASL_PASSWORD") == 1
    assert "Error" not in collector.log.read_text()
    with collecting(home, guarded.passwords, **guarded.by_password("SCRAM-SHA-512")) as collector:
        until(lambda: collector.metric("logektor_spool_drained_total") == 1, SECONDS, "what it kept is in Kafka")
