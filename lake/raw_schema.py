"""The table `landed`: every record of the stream, once, as an event or as a dead letter.

Both kinds are one Delta table, partitioned by (kind, landed_date), so that one commit with one set of
transactions covers both. A column of the other kind is null.
"""

import pyarrow as pa

TABLE = "landed"
PARTITION_BY = ("kind", "landed_date")

EVENT = "event"
DEAD_LETTER = "dead_letter"

_instant = pa.timestamp("us", tz="UTC")

PLACE = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("landed_date", pa.date32(), nullable=False),
        pa.field("stream_id", pa.string(), nullable=False),
        pa.field("kafka_partition", pa.int32(), nullable=False),
        pa.field("kafka_offset", pa.int64(), nullable=False),
        pa.field("kafka_timestamp", _instant),
        pa.field("landed_at", _instant, nullable=False),
    ]
)
"""Where a record came from and when it was landed. kafka_timestamp and landed_at: microseconds, UTC."""

EVENT_COLUMNS = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("site", pa.string()),
        pa.field("action", pa.string()),
        pa.field("object_type", pa.string()),
        pa.field("object_id", pa.string()),
        pa.field("subject_type", pa.string()),
        pa.field("subject_id", pa.string()),
        pa.field("occurred_at", _instant),
        pa.field("received_at", _instant),
        pa.field("visitor_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("session_id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("referrer", pa.string()),
        pa.field("title", pa.string()),
        pa.field("language", pa.string()),
        pa.field("screen_width", pa.int32()),
        pa.field("user_agent", pa.string()),
        pa.field("country", pa.string()),
        pa.field("clock_adjusted", pa.bool_()),
        pa.field("properties", pa.string()),
        pa.field("ingest_version", pa.int32()),
    ]
)
"""The event's fields; meanings as in event.py. properties: a JSON object as text."""

DEAD_LETTER_COLUMNS = pa.schema(
    [
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("field", pa.string()),
        pa.field("body", pa.binary()),
        pa.field("body_length", pa.int64()),
        pa.field("body_sha256", pa.string()),
    ]
)
"""Why a record is no event, and its bytes (up to 64 KB; length and SHA-256 are those of the whole).
site and received_at are filled where they are known."""

LANDED = pa.schema([*PLACE, *EVENT_COLUMNS, *DEAD_LETTER_COLUMNS])
