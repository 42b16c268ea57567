"""The tables of a day once more, in SQL: written from what docs/tables.md says, and not from the Polars code."""

from collections.abc import Mapping

import duckdb
import polars as pl

SESSIONS = """
    WITH acts AS (
        SELECT *,
            epoch_us(occurred_at) AS t,
            row_number() OVER in_turn AS n,
            epoch_us(lag(occurred_at) OVER in_turn) AS t_before
        FROM events
        WHERE visitor_id IS NOT NULL AND action NOT IN ('error', 'request', 'engagement')
        WINDOW in_turn AS (
            PARTITION BY site, event_date, visitor_id ORDER BY occurred_at, kafka_partition, kafka_offset
        )
    ),
    stays AS (
        SELECT *, count_if(t_before IS NULL OR t - t_before > 1_800_000_000) OVER (
            PARTITION BY site, event_date, visitor_id ORDER BY n
        ) AS stay
        FROM acts
    ),
    pieces AS (
        SELECT *, (t - min(t) OVER (PARTITION BY site, event_date, visitor_id, stay)) // 86_400_000_000 AS piece
        FROM stays
    ),
    numbered AS (
        SELECT *, dense_rank() OVER (PARTITION BY site, event_date, visitor_id ORDER BY stay, piece) AS number
        FROM pieces
    ),
    looks AS (
        SELECT e.kafka_partition, e.kafka_offset, any_value(e.engaged_ms) AS engaged_ms,
            arg_max((a.site, a.event_date, a.visitor_id, a.number), a.n) AS of_session
        FROM events e JOIN numbered a
            ON (a.site, a.event_date, a.visitor_id) = (e.site, e.event_date, e.visitor_id)
            AND (a.occurred_at, a.kafka_partition, a.kafka_offset) < (e.occurred_at, e.kafka_partition, e.kafka_offset)
        WHERE e.action = 'engagement'
        GROUP BY ALL
    ),
    engaged AS (SELECT of_session, sum(engaged_ms) / 1000 AS seconds FROM looks GROUP BY ALL),
    bots AS (SELECT DISTINCT site, event_date, visitor_id FROM events WHERE is_bot AND visitor_id IS NOT NULL),
    whole AS (
        SELECT site, event_date AS session_date, visitor_id, number AS session_number,
            min(occurred_at) AS started_at,
            first(event_hour ORDER BY n) AS started_hour,
            max(occurred_at) AS ended_at,
            (max(t) - min(t)) // 1000000 AS duration_seconds,
            count_if(action = 'pageview') AS pageviews,
            count(*) AS events,
            first(coalesce(path, '') ORDER BY n) FILTER (action = 'pageview') AS entry_page,
            last(coalesce(path, '') ORDER BY n) FILTER (action = 'pageview') AS exit_page,
            first(host ORDER BY n) AS entry_host,
            first(source ORDER BY n) AS source,
            first(channel ORDER BY n) AS channel,
            first(medium ORDER BY n) AS medium,
            first(referrer_host ORDER BY n) AS referrer_host,
            first(utm_source ORDER BY n) AS utm_source,
            first(utm_medium ORDER BY n) AS utm_medium,
            first(utm_campaign ORDER BY n) AS utm_campaign,
            first(utm_term ORDER BY n) AS utm_term,
            first(utm_content ORDER BY n) AS utm_content,
            first(device ORDER BY n) AS device,
            first(browser ORDER BY n) AS browser,
            first(os ORDER BY n) AS os,
            first(country ORDER BY n) AS country,
            first(language ORDER BY n) AS language,
            count(*) = 1 AND count_if(action = 'pageview') = 1 AS is_bounce
        FROM numbered
        GROUP BY ALL
    )
    SELECT whole.*, coalesce(engaged.seconds, 0) AS engaged_seconds, bots.visitor_id IS NOT NULL AS is_bot
    FROM whole
    LEFT JOIN engaged ON of_session = (site, session_date, whole.visitor_id, session_number)
    LEFT JOIN bots
        ON (bots.site, bots.event_date, bots.visitor_id) = (whole.site, whole.session_date, whole.visitor_id)
"""

TAGGED = """
    SELECT *, is_bot OR coalesce((site, event_date, visitor_id) IN (
        SELECT (site, event_date, visitor_id) FROM events WHERE is_bot AND visitor_id IS NOT NULL
    ), false) AS by_bot
    FROM events
"""

TRAFFIC = """
    SELECT site, event_date AS date,
        count(DISTINCT visitor_id) FILTER (NOT by_bot) AS visitors,
        (SELECT count(*) FROM visits v WHERE (v.site, v.session_date) = (t.site, t.event_date)) AS visits,
        count_if(action = 'pageview' AND NOT by_bot) AS pageviews,
        count_if(action <> 'engagement' AND NOT by_bot) AS events,
        (
            SELECT coalesce(count_if(is_bounce), 0)
            FROM visits v WHERE (v.site, v.session_date) = (t.site, t.event_date)
        ) AS bounces,
        (
            SELECT coalesce(sum(duration_seconds), 0)
            FROM visits v WHERE (v.site, v.session_date) = (t.site, t.event_date)
        ) AS visit_seconds,
        count(DISTINCT visitor_id) FILTER (by_bot) AS bot_visitors,
        count_if(action = 'pageview' AND by_bot) AS bot_pageviews,
        count_if(by_bot) AS bot_events,
        count_if(action = 'engagement' AND NOT by_bot) AS engagements,
        coalesce(sum(engaged_ms) FILTER (NOT by_bot), 0) / 1000 AS engaged_seconds
    FROM tagged t
    GROUP BY site, event_date
"""

TRAFFIC_HOURLY = """
    SELECT site, event_date AS date, event_hour AS hour,
        count(DISTINCT visitor_id) AS visitors,
        (
            SELECT count(*) FROM visits v
            WHERE (v.site, v.session_date, v.started_hour) = (t.site, t.event_date, t.event_hour)
        ) AS visits,
        count_if(action = 'pageview') AS pageviews,
        count_if(action <> 'engagement') AS events,
        count_if(action = 'engagement') AS engagements,
        coalesce(sum(engaged_ms), 0) / 1000 AS engaged_seconds
    FROM tagged t
    WHERE NOT by_bot
    GROUP BY site, event_date, event_hour
"""

PAGES = """
    WITH happened AS (
        SELECT site, event_date AS date, coalesce(path, '') AS path, visitor_id, action, engaged_ms, scroll_depth
        FROM tagged WHERE NOT by_bot AND action IN ('pageview', 'engagement')
    ),
    deepest AS (
        SELECT site, date, path, visitor_id, max(scroll_depth) AS depth
        FROM happened WHERE action = 'engagement' AND visitor_id IS NOT NULL AND scroll_depth IS NOT NULL GROUP BY ALL
    )
    SELECT site, date, path,
        count(DISTINCT visitor_id) FILTER (action = 'pageview') AS visitors,
        count_if(action = 'pageview') AS pageviews,
        (SELECT count(*) FROM visits v WHERE (v.site, session_date, entry_page) = (p.site, date, path)) AS entries,
        (SELECT count(*) FROM visits v WHERE (v.site, session_date, exit_page) = (p.site, date, path)) AS exits,
        (
            SELECT coalesce(count_if(is_bounce), 0)
            FROM visits v WHERE (v.site, session_date, entry_page) = (p.site, date, path)
        ) AS bounces,
        count_if(action = 'engagement') AS engagements,
        coalesce(sum(engaged_ms), 0) / 1000 AS engaged_seconds,
        (
            SELECT coalesce(sum(depth), 0) FROM deepest d WHERE (d.site, d.date, d.path) = (p.site, p.date, p.path)
        ) AS scroll_depth_sum,
        (SELECT count(*) FROM deepest d WHERE (d.site, d.date, d.path) = (p.site, p.date, p.path)) AS scroll_depth_count
    FROM happened p
    GROUP BY site, date, path
"""

_VISITS_BY = """
    SELECT site, session_date AS date, {columns},
        count(DISTINCT visitor_id) AS visitors,
        count(*) AS visits,
        sum(pageviews) AS pageviews,
        count_if(is_bounce) AS bounces,
        sum(duration_seconds) AS visit_seconds,
        sum(round(engaged_seconds * 1000)::BIGINT) / 1000 AS engaged_seconds
    FROM visits
    WHERE {among}
    GROUP BY ALL
"""


def _visits_by(*columns: str, among: str = "true") -> str:
    said = ", ".join(f"coalesce({column}, '') AS {column}" for column in columns)
    return _VISITS_BY.format(columns=said, among=among)


_UTM = ("utm_campaign", "utm_medium", "utm_term", "utm_content")

ACTIONS = """
    SELECT site, event_date AS date, object_type, action, coalesce(subject_type, '') AS subject_type,
        count(*) AS events,
        count(DISTINCT visitor_id) AS visitors,
        count(DISTINCT object_id) AS objects,
        count(DISTINCT subject_id) AS subjects
    FROM tagged
    WHERE NOT by_bot
    GROUP BY ALL
"""

TOP_SUBJECTS = """
    WITH counted AS (
        SELECT site, event_date AS date, coalesce(subject_type, '') AS subject_type, subject_id, action,
            count(*) AS events, count(DISTINCT visitor_id) AS visitors
        FROM tagged WHERE NOT by_bot AND subject_id IS NOT NULL GROUP BY ALL
    ),
    listed AS (
        SELECT *, (
            SELECT count(*) FROM counted o WHERE (o.site, o.date) = (c.site, c.date) AND o.events >= c.events
        ) <= 1000 AS is_listed
        FROM counted c
    )
    SELECT * EXCLUDE (is_listed) FROM listed WHERE is_listed
    UNION ALL
    SELECT site, date, '', '', '', sum(events), NULL FROM listed WHERE NOT is_listed GROUP BY site, date
"""

QUERIES: Mapping[str, str] = {
    "sessions": "FROM sessions",
    "traffic": TRAFFIC,
    "traffic_hourly": TRAFFIC_HOURLY,
    "pages": PAGES,
    "entry_pages": _visits_by("entry_page", among="pageviews > 0"),
    "exit_pages": _visits_by("exit_page", among="pageviews > 0"),
    "sources": _visits_by("source", "channel"),
    "campaigns": _visits_by(*_UTM, "source", among=f"coalesce(utm_source, {', '.join(_UTM)}) IS NOT NULL"),
    "locations": _visits_by("country"),
    "languages": _visits_by("language"),
    "devices": _visits_by("device", "browser", "os"),
    "actions": ACTIONS,
    "top_subjects": TOP_SUBJECTS,
}
"""By the name of the table it computes, from `events` and what is derived from that here."""


def computed(events: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    """Each table's rows, in any order of rows and columns."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET threads = 1")
        connection.register("events", events.to_arrow())
        connection.execute(f"CREATE TABLE sessions AS {SESSIONS}")
        connection.execute("CREATE VIEW visits AS FROM sessions WHERE NOT is_bot")
        connection.execute(f"CREATE TABLE tagged AS {TAGGED}")
        return {name: pl.DataFrame(connection.sql(query).to_arrow_table()) for name, query in QUERIES.items()}
