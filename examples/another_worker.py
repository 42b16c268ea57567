"""A landing worker of another make: what docs/guarantees.md asks of one, with confluent-kafka and deltalake only.

Run it as `another_worker.py BOOTSTRAP_SERVERS LAKE GROUP`, and stop it as you like. To be read, not to be fast.
"""

import base64
import hashlib
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicCollection
from confluent_kafka.admin import AdminClient
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

EVENTS, REJECTED = "logektor.events.v1", "logektor.rejected.v1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_BYTES, MAX_MICROS = 64 * 1024, 253_402_300_799_999_999
BOUNDS: list[tuple[Any, tuple[int, int], str]] = [
    (str, (1, 200), "eventId site action objectType subjectType"),
    (str, (1, 500), "objectId subjectId visitorId userId sessionId"),
    (str, (0, 4_000), "url referrer"),
    (str, (0, 1_000), "title userAgent"),
    (str, (0, 35), "language"),
    (str, (2, 2), "country"),
    (int, (0, MAX_MICROS), "occurredAt receivedAt"),
    (int, (0, 100_000), "screenWidth"),
    (int, (1, 1), "ingestVersion"),
]
NEEDED = ["eventId", "site", "action", "objectType", "occurredAt", "receivedAt", "ingestVersion"]


class NoEvent(Exception):
    """Why a record is a dead letter: the reason, a sentence, and the JSON field at fault or None."""


def parsed(value: bytes) -> Any:
    """JSON as its standard has it: UTF-8, no NaN, no half characters. Raises NoEvent."""
    try:
        found = json.loads(value.decode(), parse_constant=lambda name: json.loads(f"no {name}"))
        json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError) as error:
        raise NoEvent("undecodable", str(error), None) from error


def event_columns(value: bytes) -> dict[str, Any]:
    if len(value) > MAX_BYTES:
        raise NoEvent("too_large", f"{len(value)} bytes, at most {MAX_BYTES} are allowed", None)
    event = parsed(value)
    if not isinstance(event, dict):
        raise NoEvent("invalid", "no JSON object", None)
    if type(version := event.get("ingestVersion")) is int and version != 1:
        raise NoEvent("unknown_version", f"ingestVersion {version}, this worker reads 1", None)
    columns: dict[str, Any] = {}
    for kind, (least, most), names in BOUNDS:
        for name in names.split():
            found = event.get(name)
            # Not isinstance: to Python True is a number.
            size: Any = len(found) if isinstance(found, str) else found
            if not (type(found) is kind and least <= size <= most) and (found is not None or name in NEEDED):
                raise NoEvent("invalid", f"{name} is missing, or not what it must be", name)
            columns[re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)] = found
    adjusted, properties = event.get("clockAdjusted", False), event.get("properties")
    if type(adjusted) is not bool or not isinstance(properties, dict | None):
        raise NoEvent("invalid", "clockAdjusted or properties is not what it must be", None)
    columns |= {name: EPOCH + timedelta(microseconds=columns[name]) for name in ("occurred_at", "received_at")}
    kept = None if properties is None else json.dumps(properties, ensure_ascii=False)
    return columns | {"kind": "event", "clock_adjusted": adjusted, "properties": kept}


def rejection_columns(value: bytes) -> dict[str, Any]:
    try:
        told = parsed(value)
        columns = {"reason": told["reason"], "detail": told["detail"], "site": told.get("site")}
        columns |= {"field": told.get("field"), "received_at": EPOCH + timedelta(microseconds=told["receivedAt"])}
        columns |= {"body": base64.b64decode(told["body"], validate=True), "body_length": told["bodyLength"]}
        return columns | {"kind": "dead_letter", "body_sha256": told["bodySha256"]}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise NoEvent("undecodable", str(error), None) from error


def row(topic: str, value: bytes) -> dict[str, Any]:
    """The columns of a record but for its place: every record has a row, whatever its bytes are."""
    try:
        return rejection_columns(value) if topic == REJECTED else event_columns(value)
    except NoEvent as error:
        told = dict(zip(("reason", "detail", "field"), error.args, strict=True))
        told |= {"body": value[:MAX_BYTES], "body_length": len(value), "body_sha256": hashlib.sha256(value).hexdigest()}
        return {"kind": "dead_letter", **told}


def land(lake: str, batches: dict[tuple[str, int], list[Any]]) -> None:
    """Appends the messages of each (stream id, partition) and its progress in one commit, behind the fence."""
    table, now, rows, transactions = DeltaTable(f"{lake}/landed"), datetime.now(UTC), [], []
    for (stream_id, partition), messages in batches.items():
        place, first = f"{stream_id}/{partition}", messages[0].offset()
        if [message.offset() for message in messages] != list(range(first, first + len(messages))):
            raise SystemExit(f"Records of {place} are missing after offset {first}: nothing was landed.")
        landed = table.transaction_version(f"landing/{place}")
        if landed is None:
            transactions.append(Transaction(f"landing_first/{place}", first))
        elif landed != first:
            raise SystemExit(f"{place} is landed up to {landed}, not {first}: start again.")
        transactions.append(Transaction(f"landing/{place}", first + len(messages)))
        for message in messages:
            stamp = EPOCH + timedelta(milliseconds=message.timestamp()[1]) if message.timestamp()[0] else None
            where = {"stream_id": stream_id, "kafka_partition": partition, "kafka_offset": message.offset()}
            when = {"kafka_timestamp": stamp, "landed_at": now, "landed_date": now.date()}
            rows.append(row(message.topic(), message.value() or b"") | where | when)
    data = pa.Table.from_pylist(rows, schema=pa.schema(table.schema().to_arrow()))
    try:
        write_deltalake(table, data, mode="append", commit_properties=CommitProperties(app_transactions=transactions))
    except CommitFailedError as error:
        raise SystemExit(f"Another writer was faster, nothing was landed: start again. {error}") from error


def main(servers: str, lake: str, group: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    cluster, topics = admin.describe_cluster().result(), admin.describe_topics(TopicCollection([EVENTS, REJECTED]))
    streams = {name: f"{cluster.cluster_id}/{found.result().topic_id}" for name, found in topics.items()}
    told = {"bootstrap.servers": servers, "group.id": group, "partition.assignment.strategy": "cooperative-sticky"}
    consumer = Consumer({**told, "auto.offset.reset": "error", "enable.auto.commit": False})

    def assign(consumer: Consumer, partitions: list[Any]) -> None:
        table = DeltaTable(f"{lake}/landed")
        if int(table.metadata().configuration.get("logektor.schema_version", 0)) > 1:
            raise SystemExit("The table landed is of a schema version that this worker does not know.")
        for each in partitions:
            landed = table.transaction_version(f"landing/{streams[each.topic]}/{each.partition}")
            each.offset = OFFSET_BEGINNING if landed is None else landed
        consumer.incremental_assign(partitions)

    consumer.subscribe(list(streams), on_assign=assign)
    while True:
        messages: list[Any] = consumer.consume(1_000, 1.0)
        batches: dict[tuple[str, int], list[Any]] = {}
        for message in messages:
            if message.error():
                raise SystemExit(message.error().str())
            batches.setdefault((streams[message.topic()], message.partition()), []).append(message)
        if batches:
            land(lake, batches)
            consumer.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
