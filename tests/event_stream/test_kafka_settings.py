import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_settings import KafkaSettings, TopicSettings
from event_stream.topics import EVENTS, REJECTED, SALTS
from logektor.settings import StackSettings

SASL = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "logektor",
    "kafka_sasl_password": "a secret",
}


def settings(**given: object) -> KafkaSettings:
    return KafkaSettings(**given)  # type: ignore[arg-type] # checked by pydantic


def complaint(**given: object) -> str:
    """The one sentence that these settings are refused with, as a process says it."""
    with pytest.raises(ValidationError) as refused:
        settings(**given)
    fault, *others = refused.value.errors()
    assert not others
    return f"LOGEKTOR_{str(fault['loc'][0]).upper()}: {fault['msg']}."


@pytest.fixture
def pems(tmp_path: Path) -> Path:
    """A certificate, its key, and another key with a password."""
    for name in ("own", "other"):
        encrypted = ["-passout", "pass:open"] if name == "other" else ["-noenc"]
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{name}.key"]
        subprocess.run(
            ["openssl", "req", "-x509", *key, *encrypted, "-subj", "/CN=test", "-out", f"{name}.pem"],  # noqa: S607
            cwd=tmp_path,
            check=True,
            stderr=subprocess.DEVNULL,
        )
    return tmp_path


def test_without_any_setting_kafka_is_spoken_to_plainly() -> None:
    assert settings().cluster_at("a:1").client == {"bootstrap.servers": "a:1", "security.protocol": "PLAINTEXT"}


def test_what_librdkafka_is_told(pems: Path) -> None:
    told = settings(
        **SASL,
        kafka_ca_file=pems / "own.pem",
        kafka_certificate_file=pems / "other.pem",
        kafka_key_file=pems / "other.key",
        kafka_key_password="open",
    )
    assert told.cluster_at("a:1,b:1").client == {
        "bootstrap.servers": "a:1,b:1",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(pems / "own.pem"),
        "ssl.certificate.location": str(pems / "other.pem"),
        "ssl.key.location": str(pems / "other.key"),
        "ssl.key.password": "open",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "logektor",
        "sasl.password": "a secret",
    }


def test_a_secret_is_in_no_text() -> None:
    told = settings(**SASL)
    cluster = told.cluster_at("a:1")
    assert "a secret" not in f"{told} {told!r} {cluster} {cluster!r}"
    with pytest.raises(ValidationError) as refused:
        settings(**SASL | {"kafka_security_protocol": "SSL"})
    assert "a secret" not in str(refused.value)


def test_a_combination_that_can_not_work_is_refused_in_one_sentence(pems: Path) -> None:
    assert complaint(**SASL | {"kafka_sasl_password": None}) == (
        "LOGEKTOR_KAFKA_SASL_PASSWORD: is needed while LOGEKTOR_KAFKA_SECURITY_PROTOCOL is SASL_SSL."
    )
    assert complaint(kafka_sasl_username="logektor") == (
        "LOGEKTOR_KAFKA_SASL_USERNAME: is of no use while LOGEKTOR_KAFKA_SECURITY_PROTOCOL is PLAINTEXT."
    )
    assert "TLS is SSL or SASL_SSL" in complaint(kafka_ca_file=pems / "own.pem")
    assert "come together" in complaint(kafka_security_protocol="SSL", kafka_certificate_file=pems / "own.pem")
    assert "no certificate in PEM form" in complaint(kafka_security_protocol="SSL", kafka_ca_file=pems / "own.key")
    mutual = {"kafka_security_protocol": "SSL", "kafka_certificate_file": pems / "own.pem"}
    assert "is not the key of" in complaint(**mutual, kafka_key_file=pems / "other.key", kafka_key_password="open")
    locked = {"kafka_security_protocol": "SSL", "kafka_certificate_file": pems / "other.pem"}
    assert "LOGEKTOR_KAFKA_KEY_PASSWORD" in complaint(**locked, kafka_key_file=pems / "other.key")
    assert "does not point to a file" in complaint(kafka_security_protocol="SSL", kafka_ca_file=pems / "none")


def test_the_embedded_kafka_has_no_security() -> None:
    with pytest.raises(ValidationError, match="the embedded Kafka speaks PLAINTEXT"):
        StackSettings(kafka_security_protocol="SSL")
    assert StackSettings(kafka_security_protocol="SSL", kafka_bootstrap_servers="a:1").kafka == KafkaCluster(
        "a:1", {"security.protocol": "SSL"}
    )


def test_topics_are_shaped_by_the_settings_and_salts_keep_their_own_time() -> None:
    assert TopicSettings().topics == (EVENTS, REJECTED, SALTS)
    events, rejected, salts = TopicSettings(
        kafka_topic_partitions=12,
        kafka_topic_replication=3,
        kafka_topic_min_insync=2,
        kafka_topic_retention_hours=48,
        kafka_topic_compression="zstd",
    ).topics
    assert (events.partitions, rejected.partitions, salts.partitions) == (12, 1, 1)
    assert {(each.replication, each.min_insync, each.compression) for each in (events, rejected, salts)} == {
        (3, 2, "zstd")
    }
    assert events.retention == rejected.retention == timedelta(hours=48)
    assert salts.retention == SALTS.retention
    with pytest.raises(ValidationError, match="only 2 copies"):
        TopicSettings(kafka_topic_replication=2, kafka_topic_min_insync=3)
