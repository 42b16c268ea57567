"""A made-up day of a site's traffic, landed as the worker lands it: many commits, each with its stream partitions."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time

import duckdb
import polars as pl

from event_stream.topics import EVENTS as TOPIC
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.progress import Progress
from lake.raw_schema import EVENT, LANDED
from pipelines.landing.settings import LandingSettings

SITE = "example.com"
STREAM = "cluster/events"

BATCH = LandingSettings.model_fields["landing_max_records"].default
EVENTS_PER_VISITOR = 10

_PAGES = 2_000
_BROWSERS = 500
_BOT_BROWSERS = 25
_AGAIN = 0.02
"""The share of events that are sent once more,"""
_AGAIN_WITHIN = 10_000
"""so many events later at most."""

_BOT = "Mozilla/5.0 (compatible; Crawler' || browser || '/1.0; +https://crawler' || browser || '.example/bot)"
_DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/' || (100 + browser % 40) || '.0.' || browser || '.0 Safari/537.36"
)
_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 1' || browser % 9 || '_' || browser || ' like Mac OS X) "
    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
)

# hash() is evenly spread and the same on each run; chance(id, n) is the n-th number from 0 to 1 of an event.
# Where a visitor is from, and with which browser, follows from the visitor; all else from the event's id, so that an
# event that is sent again is the same.
_SQL = f"""
CREATE MACRO chance(id, n) AS (hash(id, n) >> 11) / 9007199254740992.0;
CREATE MACRO visitors_chance(visitor, n) AS (hash('visitor', visitor, n) >> 11) / 9007199254740992.0;
CREATE MACRO made(first, size, events_of_day, day) AS TABLE
WITH sent AS (
    SELECT
        number,
        CASE WHEN chance(number, 12) < {_AGAIN} AND number > {_AGAIN_WITHIN}
            THEN number - CAST(floor(chance(number, 13) * {_AGAIN_WITHIN}) AS BIGINT) ELSE number END AS id
    FROM range(first, first + size) AS numbers(number)
),
happened AS (
    SELECT
        number, id, id / events_of_day AS fraction,
        CAST(floor(events_of_day / {EVENTS_PER_VISITOR} * CASE
            WHEN chance(id, 1) < 0.8 THEN (id / events_of_day + 1 - chance(id, 2) / 72) % 1
            ELSE chance(id, 2) END) AS BIGINT) AS visitor
    FROM sent
),
acted AS (
    SELECT
        number, id, fraction, visitor,
        CASE WHEN chance(id, 3) < 0.76 THEN 'pageview' WHEN chance(id, 3) < 0.9 THEN 'engagement'
            WHEN chance(id, 3) < 0.95 THEN 'download' WHEN chance(id, 3) < 0.99 THEN 'outbound' ELSE 'signup' END
            AS action,
        CASE WHEN chance(id, 4) < 0.97 THEN '/page/' || CAST(floor(pow({_PAGES}, chance(id, 5))) AS BIGINT)
            ELSE '/archive/' || CAST(floor(events_of_day / 20 * chance(id, 5)) AS BIGINT) END AS path,
        chance(id, 6) < 0.3 AS enters
    FROM happened
),
told AS (
    SELECT
        *,
        md5('visitor' || visitor) AS visitor_id,
        CASE WHEN visitors_chance(visitor, 1) < 0.05
            THEN CAST(floor(visitors_chance(visitor, 2) * {_BOT_BROWSERS}) AS INTEGER)
            ELSE CAST(floor(pow({_BROWSERS}, visitors_chance(visitor, 2))) AS INTEGER) + {_BOT_BROWSERS} END AS browser
    FROM acted
)
SELECT
    '{EVENT}' AS kind,
    CAST(day AS DATE) AS landed_date,
    '{STREAM}' AS stream_id,
    CAST(visitor % {TOPIC.partitions} AS INTEGER) AS kafka_partition,
    day + to_microseconds(CAST(number / events_of_day * 86399e6 AS BIGINT)) AS received_at,
    day + to_microseconds(CAST(fraction * 86399e6 AS BIGINT)) AS occurred_at,
    md5('event' || day || '/' || id) AS event_id,
    '{SITE}' AS site,
    action,
    'visitor' AS object_type,
    visitor_id AS object_id,
    'page' AS subject_type,
    path AS subject_id,
    visitor_id,
    CASE WHEN visitors_chance(visitor, 3) < 0.05 THEN 'user ' || visitor END AS user_id,
    'https://www.{SITE}' || path || CASE
        WHEN enters AND chance(id, 7) < 0.1 THEN '?utm_source=' || ['newsletter', 'google', 'partner'][1 + id % 3]
            || '&utm_medium=' || ['email', 'cpc', 'referral'][1 + id % 3] || '&utm_campaign=spring+' || id % 20
        WHEN enters AND chance(id, 7) < 0.14 THEN '?gclid=' || md5('click' || id) ELSE '' END AS url,
    CASE WHEN NOT enters THEN 'https://www.{SITE}/page/' || CAST(floor(pow({_PAGES}, chance(id, 8))) AS BIGINT)
        WHEN chance(id, 8) < 0.4 THEN 'https://www.google.com/'
        WHEN chance(id, 8) < 0.6 THEN 'https://blog' || CAST(floor(pow(300, chance(id, 9))) AS BIGINT) || '.org/post'
        END AS referrer,
    'The page ' || path AS title,
    ['en-US', 'de-DE', 'fr-FR', 'pt-BR'][1 + visitor % 4] AS language,
    CAST([390, 412, 1366, 1536, 1920, 2560][1 + visitor % 6] AS INTEGER) AS screen_width,
    CASE WHEN browser < {_BOT_BROWSERS} THEN '{_BOT}' WHEN browser % 2 = 0 THEN '{_DESKTOP}' ELSE '{_PHONE}' END
        AS user_agent,
    ['DE', 'US', 'FR', 'BR', 'IN', 'JP', 'GB', 'PL'][CAST(floor(pow(8, visitors_chance(visitor, 4))) AS INTEGER)]
        AS country,
    CASE action WHEN 'engagement' THEN '{{"engagedMs":' || CAST(floor(60000 * chance(id, 10)) AS BIGINT)
        || ',"scrollDepth":' || CAST(floor(100 * chance(id, 11)) AS BIGINT) || '}}'
        WHEN 'signup' THEN '{{"plan":"pro"}}' END AS properties,
    false AS clock_adjusted,
    1 AS ingest_version
FROM told
ORDER BY kafka_partition, number;
"""  # noqa: S608  # of constants

_NO_ROWS = pl.DataFrame(LANDED.empty_table())


class LandedDay:
    """Lands the events of a day in the order in which they happened, as many at a time as asked for.

    `events`: how many the whole day has. Days of one lake follow each other in its stream partitions.
    """

    def __init__(self, lake: Lake, day: date, events: int) -> None:
        self._table = DeltaLandingTable(lake)
        self._begins = datetime.combine(day, time(), UTC)
        self._events = events
        self._landed = 0
        landed = self._table.landed([(STREAM, partition) for partition in range(TOPIC.partitions)])
        self._next = {partition: landed.get((STREAM, partition), 0) for partition in range(TOPIC.partitions)}
        self._database = duckdb.connect()
        self._database.execute(f"SET TimeZone = 'UTC'; {_SQL}")

    def land(self, events: int, tell: Callable[[int], None] = lambda landed: None) -> None:
        """The next events of the day, in commits as large as the worker's; `tell` hears of each how many it has."""
        end = self._landed + events
        while self._landed < end:
            size = min(BATCH, end - self._landed)
            self._land_batch(size)
            self._landed += size
            tell(size)

    def _land_batch(self, size: int) -> None:
        told = (self._landed, size, self._events, self._begins)
        made = self._database.sql("SELECT * FROM made(?, ?, ?, ?)", params=told).pl()
        first = pl.col("kafka_partition").replace_strict(self._next, return_dtype=pl.Int64())
        placed = made.with_columns(
            kafka_offset=first + pl.int_range(pl.len()).over("kafka_partition"),
            kafka_timestamp=pl.col("received_at"),
            landed_at=pl.col("received_at").max(),
        )
        next_offsets = dict(self._next)
        for partition, count in placed["kafka_partition"].value_counts().iter_rows():
            next_offsets[partition] += count
        rows = pl.concat([_NO_ROWS, placed], how="diagonal").to_arrow().cast(LANDED)
        self._table.append(rows, _NO_ROWS.to_arrow().cast(LANDED), _places(self._next), _places(next_offsets))
        self._next = next_offsets


def _places(offsets: dict[int, int]) -> Progress:
    return {(STREAM, partition): offset for partition, offset in offsets.items()}
