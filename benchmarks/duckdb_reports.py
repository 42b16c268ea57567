"""The peer: DuckDB makes the tables of a day from the same landed files, written as one would in SQL.

Events are deduplicated by the same rule within the day, parsed, cut into sessions and counted; each table becomes a
Parquet file as ours does. User-Agents are told apart by words, since DuckDB has no parser of them: less work than ours.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

MEMORY = "3GB"
THREADS = 2

_EVENTS = """
WITH again AS (
    SELECT unnest(list({p: kafka_partition, o: kafka_offset} ORDER BY received_at, kafka_partition, kafka_offset)[2:])
        AS place
    FROM landed GROUP BY site, event_id HAVING count(*) > 1
),
urls AS (SELECT DISTINCT url, regexp_extract(url, '\\?([^#]*)', 1) AS query FROM landed),
pages AS (
    SELECT
        url,
        lower(regexp_extract(url, '^[a-z]+://([^/?#:]+)', 1)) AS host,
        regexp_extract(url, '^[a-z]+://[^/?#]*([^?#]*)', 1) AS path,
        nullif(url_decode(regexp_extract(query, '(?:^|&)utm_source=([^&]+)', 1)), '') AS utm_source,
        nullif(url_decode(regexp_extract(query, '(?:^|&)utm_medium=([^&]+)', 1)), '') AS utm_medium,
        nullif(url_decode(regexp_extract(query, '(?:^|&)utm_campaign=([^&]+)', 1)), '') AS utm_campaign,
        nullif(url_decode(regexp_extract(query, '(?:^|&)utm_term=([^&]+)', 1)), '') AS utm_term,
        nullif(url_decode(regexp_extract(query, '(?:^|&)utm_content=([^&]+)', 1)), '') AS utm_content,
        nullif(url_decode(regexp_extract(query, '(?:^|&)ref=([^&]+)', 1)), '') AS ref,
        nullif(regexp_extract(query, '(?:^|&)(gclid|fbclid|msclkid)=', 1), '') AS click_id
    FROM urls
),
referrers AS (
    SELECT referrer, lower(nullif(regexp_extract(referrer, '^[a-z]+://([^/?#:]+)', 1), '')) AS referrer_host
    FROM (SELECT DISTINCT referrer FROM landed)
),
agents AS (
    SELECT
        user_agent,
        coalesce(regexp_matches(user_agent, 'bot|crawl|spider|https?://', 'i'), false) AS is_bot,
        CASE WHEN user_agent LIKE '%Chrome/%' THEN 'Chrome' WHEN user_agent LIKE '%Safari/%' THEN 'Safari' END
            AS browser,
        CASE WHEN user_agent LIKE '%Windows%' THEN 'Windows' WHEN user_agent LIKE '%iPhone%' THEN 'iOS' END AS os,
        CASE WHEN user_agent LIKE '%Mobile%' THEN 'Mobile' ELSE 'Desktop' END AS device
    FROM (SELECT DISTINCT user_agent FROM landed)
)
SELECT
    landed.* EXCLUDE (kafka_timestamp, landed_at, kind),
    pages.* EXCLUDE (url, ref), referrers.* EXCLUDE (referrer), agents.* EXCLUDE (user_agent),
    CAST(occurred_at AS DATE) AS event_date,
    hour(occurred_at) AS event_hour,
    coalesce(utm_source, ref, CASE WHEN referrer_host NOT LIKE '%' || site THEN referrer_host END, 'Direct / None')
        AS source,
    CASE WHEN utm_medium IN ('cpc', 'ppc') OR click_id = 'gclid' THEN 'Paid Search'
        WHEN utm_medium IS NOT NULL THEN 'Email'
        WHEN referrer_host LIKE '%google.%' THEN 'Organic Search'
        WHEN referrer_host NOT LIKE '%' || site THEN 'Referral' ELSE 'Direct' END AS channel,
    CASE WHEN action = 'engagement' THEN TRY_CAST(properties->>'$.engagedMs' AS BIGINT) END AS engaged_ms,
    CASE WHEN action = 'engagement' THEN TRY_CAST(properties->>'$.scrollDepth' AS INTEGER) END AS scroll_depth
FROM landed
    ANTI JOIN again ON place.p = kafka_partition AND place.o = kafka_offset
    JOIN pages USING (url) LEFT JOIN referrers ON landed.referrer IS NOT DISTINCT FROM referrers.referrer
    JOIN agents USING (user_agent)
"""

_SESSIONS = """
WITH bots AS (SELECT DISTINCT site, event_date, visitor_id FROM events WHERE is_bot),
active AS (
    SELECT *, occurred_at - lag(occurred_at) OVER who > INTERVAL 30 MINUTES AS idle
    FROM events WHERE visitor_id IS NOT NULL AND action <> 'engagement'
    WINDOW who AS (PARTITION BY site, visitor_id, event_date ORDER BY occurred_at, kafka_offset)
),
numbered AS (
    SELECT *, 1 + sum(CAST(coalesce(idle, false) AS INTEGER)) OVER (
        PARTITION BY site, visitor_id, event_date ORDER BY occurred_at, kafka_offset) AS session_number
    FROM active
)
SELECT
    site, event_date AS session_date, visitor_id, session_number,
    min(occurred_at) AS started_at, max(occurred_at) AS ended_at,
    date_diff('second', started_at, ended_at) AS duration_seconds,
    count(*) FILTER (action = 'pageview') AS pageviews, count(*) AS events,
    arg_min(path, occurred_at) FILTER (action = 'pageview') AS entry_page,
    arg_max(path, occurred_at) FILTER (action = 'pageview') AS exit_page,
    arg_min({source: source, channel: channel, utm_source: utm_source, utm_medium: utm_medium,
        utm_campaign: utm_campaign, utm_term: utm_term, utm_content: utm_content, device: device, browser: browser,
        os: os, country: country, language: language}, occurred_at) AS first,
    count(*) = 1 AND pageviews = 1 AS is_bounce,
    any_value(bots.visitor_id) IS NOT NULL AS is_bot
FROM numbered LEFT JOIN bots USING (site, event_date, visitor_id)
GROUP BY ALL
"""

_OF_SESSIONS = """
SELECT site, session_date AS date, {key}, count(DISTINCT visitor_id) AS visitors, count(*) AS visits,
    sum(pageviews) AS pageviews, count(*) FILTER (is_bounce) AS bounces, sum(duration_seconds) AS visit_seconds
FROM sessions WHERE NOT is_bot GROUP BY ALL
"""

_OF_EVENTS = """
SELECT site, event_date AS date, {key}, count(DISTINCT visitor_id) AS visitors, count(*) AS events,
    count(*) FILTER (action = 'pageview') AS pageviews
FROM events WHERE NOT is_bot GROUP BY ALL
"""

_PAGES = """
WITH viewed AS (
    SELECT site, event_date AS date, path, count(DISTINCT visitor_id) AS visitors,
        count(*) FILTER (action = 'pageview') AS pageviews, sum(engaged_ms) AS engaged_ms
    FROM events WHERE NOT is_bot AND action IN ('pageview', 'engagement') GROUP BY ALL
),
scrolled AS (
    SELECT site, date, path, sum(depth) AS scroll_depth FROM (
        SELECT site, event_date AS date, path, visitor_id, max(scroll_depth) AS depth
        FROM events WHERE NOT is_bot AND scroll_depth IS NOT NULL GROUP BY ALL) GROUP BY ALL
),
entered AS (SELECT site, session_date AS date, entry_page AS path, count(*) AS entries,
    count(*) FILTER (is_bounce) AS bounces FROM sessions WHERE NOT is_bot GROUP BY ALL),
left_from AS (SELECT site, session_date AS date, exit_page AS path, count(*) AS exits
    FROM sessions WHERE NOT is_bot GROUP BY ALL)
SELECT * FROM viewed LEFT JOIN scrolled USING (site, date, path) LEFT JOIN entered USING (site, date, path)
    LEFT JOIN left_from USING (site, date, path)
"""

_TABLES = {
    "traffic": _OF_EVENTS.format(key="'' AS everything"),
    "traffic_hourly": _OF_EVENTS.format(key="event_hour"),
    "pages": _PAGES,
    "entry_pages": _OF_SESSIONS.format(key="entry_page"),
    "exit_pages": _OF_SESSIONS.format(key="exit_page"),
    "sources": _OF_SESSIONS.format(key="first.source, first.channel"),
    "campaigns": _OF_SESSIONS.format(
        key="first.source, first.utm_medium, first.utm_campaign, first.utm_term, first.utm_content"
    ),
    "locations": _OF_SESSIONS.format(key="first.country"),
    "languages": _OF_SESSIONS.format(key="first.language"),
    "devices": _OF_SESSIONS.format(key="first.device, first.browser, first.os"),
    "actions": _OF_EVENTS.format(key="object_type, action, subject_type"),
    "top_subjects": _OF_EVENTS.format(key="subject_type, subject_id, action"),
    "people": "SELECT DISTINCT site, event_date AS date, coalesce(user_id, visitor_id) AS person FROM events",
}


def build(landed: Sequence[str], folder: Path) -> dict[str, int]:
    """Makes all tables from landed Parquet files into a folder; answers how many rows each has."""
    folder.mkdir()
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": THREADS}) as database:
        database.execute(f"SET TimeZone = 'UTC'; SET temp_directory = '{folder}'; SET enable_progress_bar = false")
        database.read_parquet(list(landed), hive_partitioning=True).create_view("landed")
        for name, sql in {"events": _EVENTS, "sessions": _SESSIONS, **_TABLES}.items():
            file = folder / f"{name}.parquet"
            database.execute(f"COPY ({sql}) TO '{file}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
            database.read_parquet(str(file)).create_view(name)
        return {name: len(database.table(name)) for name in ("events", "sessions", *_TABLES)}
