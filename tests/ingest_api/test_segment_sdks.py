"""Segment's own SDKs, told nothing but another host, deliver everything: through Kafka to the rows of the lake."""

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from segment.analytics.client import Client  # type: ignore[import-untyped]  # the SDK has no types

from ingest_api.salts import Salts
from ingest_api.segment import KINDS
from tests.conftest import RunningKafka
from tests.ingest_api.collector_process import CollectorProcess, collecting
from tests.ingest_api.conftest import Api
from tests.ingest_api.landed_lake import LandedLake, landing
from tests.ingest_api.test_countries import GEOLITE2, NETWORK, write
from tests.ingest_api.tracker.serving import Fault, Line, listening
from tests.npm import installed

NODE_SDK = "3.1.0"
SERVER_KEY = "sk_example"
PAGE_KEY = "pk_example"

CONTEXT = {
    "ip": "203.0.113.9",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "locale": "de-DE",
    "page": {
        "url": "https://example.com/läden?utm_source=mail&q=secret#top",
        "referrer": "https://example.org/suche?q=läden",
        "title": "Läden – 店",
    },
}
NESTED = {"total": 29.9, "items": [{"sku": "漢字-1", "count": 2}, {"sku": "🎉", "count": None}], "first": True}

SAID: dict[str, dict[str, Any]] = {
    "track": {"event": "Bestellung aufgegeben 🎉", "properties": NESTED},
    "page": {
        "name": "Preise",
        "category": "Docs",
        "properties": {"url": "https://example.com/preise", "title": "Preise", "path": "/preise", "plan": NESTED},
    },
    "identify": {"traits": {"name": "Zoë", "address": {"city": "Köln"}}},
    "screen": {"name": "Übersicht", "properties": NESTED},
    "group": {"groupId": "g-ß", "traits": {"employees": 12, "plan": NESTED}},
    "alias": {"previousId": "früher"},
}
"""What a call of each kind says."""

OF_CONTEXT = {
    "url": "https://example.com/läden?utm_source=mail",
    "referrer": "https://example.org/suche",
    "title": "Läden – 店",
    "language": "de-DE",
    "object_type": "user",
    "subject_type": None,
    "subject_id": None,
    "site": "example.com",
    "clock_adjusted": False,
}
ROWS: dict[str, dict[str, Any]] = {
    "track": {"action": "Bestellung aufgegeben 🎉", "properties": NESTED},
    "page": {
        "action": "pageview",
        "url": "https://example.com/preise",
        "title": "Preise",
        "subject_type": "page",
        "subject_id": "/preise",
        "properties": {"plan": NESTED, "name": "Preise", "category": "Docs"},
    },
    "identify": {"action": "identify", "properties": {"name": "Zoë", "address": {"city": "Köln"}}},
    "screen": {"action": "screen", "properties": {"name": "Übersicht", "properties": NESTED}},
    "group": {"action": "group", "properties": {"groupId": "g-ß", "traits": {"employees": 12, "plan": NESTED}}},
    "alias": {"action": "alias", "properties": {"previousId": "früher"}},
}
"""And the columns of its row, where they are not of the context."""

Call = tuple[str, dict[str, Any]]
"""A kind of message, and what is said, by Segment's names."""

Send = Callable[[str, str, Sequence[Call]], dict[str, str]]
"""Makes the calls to a host with a write key; answers the messageId of each user's message, all delivered."""


def calls(run: str, count: int) -> list[Call]:
    """Calls of all kinds, of a user each, at a minute each before an hour ago; every other six bring ids of ours."""
    latest = datetime.now(UTC) - timedelta(hours=1)
    made = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        said = {
            "userId": f"{run}-{number}-ü",
            "anonymousId": f"{run}-{number}-anonym",
            "timestamp": (latest - timedelta(minutes=number)).isoformat(timespec="milliseconds"),
            "context": CONTEXT,
            **SAID[kind],
        }
        if number // len(KINDS) % 2:
            said["messageId"] = f"{run}-{number}-id"
        if kind == "alias":
            del said["anonymousId"]
        made.append((kind, deepcopy(said)))
    return made


def with_python(host: str, key: str, calls: Sequence[Call], *, gzip: bool) -> dict[str, str]:
    failures: list[Exception] = []
    client = Client(key, host=host, gzip=gzip, on_error=lambda error, _: failures.append(error))
    made = {}
    for kind, said in calls:
        arguments = {re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), name): said[name] for name in said}
        arguments["timestamp"] = datetime.fromisoformat(said["timestamp"])
        queued, message = getattr(client, kind)(**arguments)
        assert queued
        made[message["userId"]] = message["messageId"]
    client.shutdown()
    assert failures == []
    return made


def with_node(host: str, key: str, calls: Sequence[Call]) -> dict[str, str]:
    modules = installed("@segment/analytics-node", NODE_SDK)
    node = shutil.which("node")
    assert node is not None
    ran = subprocess.run(
        [node, Path(__file__).with_name("segment_sdk.cjs"), host, key],
        env={**os.environ, "NODE_PATH": str(modules)},
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    messages = [json.loads(line) for line in ran.stdout.splitlines()]
    return {message["userId"]: message["messageId"] for message in messages}


SDKS: dict[str, Send] = {
    "python": partial(with_python, gzip=False),
    "python_gzip": partial(with_python, gzip=True),
    "node": with_node,
}
each_sdk = pytest.mark.parametrize("send", SDKS.values(), ids=SDKS)


@pytest.fixture(scope="module")
def collector(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    home = tmp_path_factory.mktemp("collector")
    countries = write(home / "countries.mmdb", {NETWORK: GEOLITE2})
    with collecting(home, kafka.bootstrap_servers, LOGEKTOR_COUNTRY_FILE=str(countries)) as running:
        yield running


@pytest.fixture(scope="module")
def lake(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LandedLake]:
    with landing(tmp_path_factory.mktemp("lake"), kafka.bootstrap_servers) as lake:
        yield lake


@pytest.fixture
def run() -> str:
    """What the test's users, visitors and ids begin with."""
    return uuid.uuid4().hex


def assert_landed(lake: LandedLake, run: str, calls: Sequence[Call], ids: dict[str, str], **columns: object) -> None:
    """One right row for each call, and no dead letter."""
    rows = lake.events(pl.col("user_id").str.starts_with(run), len(calls)).to_dicts()
    assert lake.dead_letters_with(run).is_empty()
    assert len(rows) == len(ids) == len(calls)
    by_user = {row["user_id"]: row for row in rows}
    for kind, said in calls:
        user = said["userId"]
        expected = {
            **OF_CONTEXT,
            **ROWS[kind],
            **columns,
            "event_id": said.get("messageId", ids[user]),
            "user_id": user,
            "object_id": user,
            "visitor_id": said.get("anonymousId", user),
        }
        row = {**by_user[user], "properties": json.loads(by_user[user]["properties"])}
        assert {name: row[name] for name in expected} == expected
        assert row["event_id"] == ids[user]
        # The way from the SDK to the collector took so long: sentAt takes the client's clock out of it.
        late = row["occurred_at"] - datetime.fromisoformat(said["timestamp"])
        assert timedelta(0) <= late < timedelta(minutes=1)


@pytest.mark.kafka
@each_sdk
def test_every_message_of_an_sdk_is_one_right_row(
    send: Send, collector: CollectorProcess, lake: LandedLake, run: str
) -> None:
    sent = calls(run, 240)
    ids = send(collector.url, SERVER_KEY, sent)
    assert_landed(lake, run, sent, ids, user_agent=CONTEXT["userAgent"], country="DE")


@pytest.mark.kafka
@each_sdk
def test_with_the_public_key_address_and_user_agent_are_not_believed_and_nothing_is_refused(
    send: Send, collector: CollectorProcess, lake: LandedLake, run: str
) -> None:
    sent = calls(run, len(KINDS))
    ids = send(collector.url, PAGE_KEY, sent)
    assert_landed(lake, run, sent, ids, user_agent=None, country=None)


@each_sdk
def test_an_sdk_sends_again_what_met_an_outage_under_the_same_ids(
    send: Send, sites_file: Path, tmp_path: Path, run: str
) -> None:
    line = Line(Api(sites_file, Salts(tmp_path / "salts")))
    line.faults.extend([Fault(), Fault(503, {"Retry-After": "1"}), Fault(stored=True)])
    with listening(line.answer) as host:
        ids = send(host, SERVER_KEY, calls(run, 240))
    arrived = [event.event_id for event in line.api.events()]
    assert not line.faults
    assert set(arrived) == set(ids.values())
    assert len(set(arrived)) == 240
    assert len(arrived) > 240, "the answer to what was stored got lost, so it came again"
