"""The worker's data contract: one that knows only the page goes on where ours was killed, and ours where it was."""

import ast
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from event_stream.event import MAX_EVENT_BYTES
from event_stream.ports import Record, StreamPartition
from event_stream.rejection import Rejection, encode_rejection
from event_stream.topics import EVENTS, REJECTED
from examples.another_worker import row
from lake.raw_schema import LANDED
from pipelines.landing.rows import to_rows
from tests.landing.conftest import Site

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "examples" / "another_worker.py"
GOLDEN = sorted((ROOT / "tests" / "golden" / "events" / "v1").glob("*.json"))

_EVENT = (
    b'{"eventId":"a","site":"s","action":"x","objectType":"o","occurredAt":1,"receivedAt":2,"ingestVersion":1,'
    b'"title":%s}'
)


def records() -> Iterator[tuple[str, bytes]]:
    """Topic and value of records that JSON decoders and workers differ on."""
    yield from ((EVENTS.name, file.read_bytes()) for file in GOLDEN)
    long = b'"%s"' % (b"t" * 1_001)
    for title in (b'"\xc3\xa9"', b'"\xff"', b'"\\ud800"', b"null", b"true", b"1", b'"t",', b"NaN", long):
        yield EVENTS.name, _EVENT % title
    for found, put in (
        (b'"ingestVersion":1', b'"ingestVersion":2'),
        (b'"ingestVersion":1', b'"ingestVersion":true'),
        (b'"eventId":"a"', b'"eventId":""'),
        (b'"eventId":"a"', b'"eventId":"a","eventId":"b"'),
        (b'"site":"s",', b""),
        (b'"occurredAt":1', b'"occurredAt":1.0'),
        (b'"occurredAt":1', b'"occurredAt":-1'),
        (b'"title":', b'"clockAdjusted":null,"title":'),
        (b'"title":', b'"clockAdjusted":true,"title":'),
        (b'"title":', b'"properties":[1],"title":'),
        (b'"title":', b'"properties":null,"title":'),
        (b'"title":', b'"properties":{"a":[1,{"b":"\xe2\x82\xac"}]},"title":'),
        (b'"title":', b'"country":"DEU","title":'),
        (b'"title":', b'"screenWidth":100001,"title":'),
        (b'"title":', b'"unknown":{"a":1},"title":'),
    ):
        yield EVENTS.name, (_EVENT % b'"t"').replace(found, put)
    for value in (b"", b"null", b"[1]", b"{", b"poison", b"[" * 100_000, b" " * (MAX_EVENT_BYTES + 1)):
        yield EVENTS.name, value
    rejected = encode_rejection(Rejection.of(b"{", reason="undecodable", detail="no JSON", site="s", received_at=3))
    for value in (rejected, b"{}", b"poison", rejected.replace(b'"body":', b'"body":1,"x":')):
        yield REJECTED.name, value


def ours(topic: str, value: bytes) -> dict[str, Any]:
    place = StreamPartition("cluster/topic", topic, 0)
    rows = to_rows({place: [Record(place, 0, 0, value)]}, datetime.now(UTC))
    (found,) = pa.concat_tables([rows.events, rows.dead_letters]).to_pylist()
    return comparable(found)


def theirs(topic: str, value: bytes) -> dict[str, Any]:
    (found,) = pa.Table.from_pylist([row(topic, value)], LANDED).to_pylist()
    return comparable(found)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """What both must agree on: not the place, not the words of a sentence, not how JSON is spaced."""
    own = {"stream_id", "kafka_partition", "kafka_offset", "kafka_timestamp", "landed_at", "landed_date"}
    told = {"detail", "field"} if found["body"] is not None else set()
    properties = found["properties"] and json.loads(found["properties"])
    return {name: value for name, value in found.items() if name not in own | told} | {"properties": properties}


@pytest.mark.parametrize(("topic", "value"), [pytest.param(*each, id=str(n)) for n, each in enumerate(records())])
def test_both_make_the_same_row_of_a_record(topic: str, value: bytes) -> None:
    assert theirs(topic, value) == ours(topic, value)


def test_the_other_worker_is_short_and_knows_nothing_of_this_project() -> None:
    source = REFERENCE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 155
    roots = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert roots - sys.stdlib_module_names == {"pyarrow", "confluent_kafka", "deltalake"}


@pytest.mark.kafka
@pytest.mark.slow
def test_each_goes_on_where_the_other_was_killed(site: Site) -> None:
    other = ("examples.another_worker", site.bootstrap_servers, site.lake.uri, site.group)
    site.produce(400, poison_every=20)
    for number in range(4):
        worker = site.start(*other) if number % 2 else site.start(max_age=0.05)
        site.assert_each_is_landed_once()
        site.produce(300, poison_every=20)
        site.wait_for_landed(len(site.sent) - 100)
        site.kill(worker)
    site.start(max_age=0.05)
    site.assert_each_is_landed_once()
