"""The query API on 90 days of a site: reports, stats queries and many clients; DuckDB on the same files."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import duckdb
import httpx
import polars as pl
import psutil
from rich.console import Console

from benchmarks.collector import running
from benchmarks.measured import Measured, at_most, highest_memory
from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_spec import TableSpec
from lake.table_version import Origin
from logektor.embedded_kafka import free_port
from pipelines.reports.hits import HITS
from pipelines.reports.pages import PAGES
from query_api.tokens import read_token
from sites import register_site

DAYS = 90
EVENTS = 10_000_000
QUERIED_DAYS = 30
ASKED = 12
CLIENTS = 50
SECONDS = 60.0
_DAYS_AT_ONCE = 10

SITE = "example.com"
LAST = datetime.now(UTC).date()
FIRST = LAST - timedelta(days=DAYS - 1)

_VISITS = """
SELECT
    $site AS site, day AS date, number,
    day + to_microseconds((hash(number, 1) % 80000000000)::BIGINT) AS began,
    md5('visitor' || number // 2) AS visitor_id,
    number AS session_id,
    ['Google', 'Direct / None', 'Bing', 'news', 'blog' || hash(number, 2) % 300][1 + (hash(number, 3) % 5)::INT]
        AS source,
    ['Organic Search', 'Direct', 'Organic Search', 'Email', 'Referral'][1 + (hash(number, 3) % 5)::INT] AS channel,
    ['DE', 'US', 'FR', 'BR', 'IN', 'JP', 'GB', 'PL'][1 + (hash(number, 4) % 8)::INT] AS country,
    ['Desktop', 'Mobile', 'Tablet'][1 + (hash(number, 5) % 3)::INT] AS device,
    ['Chrome', 'Firefox', 'Safari', 'Edge'][1 + (hash(number, 6) % 4)::INT] AS browser,
    ['Windows', 'Mac OS X', 'Android', 'iOS', 'Linux'][1 + (hash(number, 7) % 5)::INT] AS os,
    1 + (hash(number, 8) % 9)::INT AS pageviews
FROM range($first_day * $visits_a_day, $end_day * $visits_a_day) AS numbers(number),
    LATERAL (SELECT ($first_date::DATE + (number // $visits_a_day)::INT)::DATE AS day)
"""
_HITS = f"""
SELECT
    visits.* EXCLUDE (number, began, pageviews),
    md5('event' || number || '/' || step) AS event_id,
    began + to_seconds(40 * step) AS occurred_at,
    CASE WHEN step < pageviews THEN 'pageview' WHEN hash(number, 9) % 20 = 0 THEN 'signup' ELSE 'engagement' END
        AS action,
    page(number, step) AS path,
    'www.' || site AS host,
    page(number, 0) AS entry_page,
    page(number, pageviews - 1) AS exit_page,
    pageviews::BIGINT AS session_pageviews,
    40 * (pageviews - 1)::BIGINT AS session_seconds,
    pageviews = 1 AS session_is_bounce,
    CASE WHEN action = 'engagement' THEN hash(number, 11) % 60000 END AS engaged_ms,
    CASE WHEN action = 'engagement' THEN hash(number, 12) % 101 END AS scroll_depth,
    CASE WHEN action = 'signup' THEN '{{"plan":"pro"}}' END AS properties,
    CASE WHEN action = 'signup' THEN ['Sign up'] ELSE [] END AS goals
FROM ({_VISITS}) AS visits, LATERAL (SELECT unnest(range(0, pageviews + 1)) AS step)
"""  # noqa: S608  # of constants
_PAGE = """
CREATE MACRO page(number, step) AS
    '/page/' || floor(pow(2000, (hash(number, step, 10) % 10000)::DOUBLE / 10000))::INT
"""
_EVENTS_OF_A_VISIT = 6

QUESTIONS: Mapping[str, tuple[dict[str, Any], str]] = {
    "headline": (
        {"metrics": ["visitors", "visits", "pageviews", "bounce_rate", "visit_duration"]},
        """SELECT counted.*, rates.* FROM
            (SELECT count(DISTINCT visitor_id), count(DISTINCT session_id), count(*) FILTER (action = 'pageview')
            FROM asked WHERE action <> 'engagement') AS counted,
            (SELECT avg(session_is_bounce::INT), avg(session_seconds)
            FROM (SELECT DISTINCT session_id, session_is_bounce, session_seconds FROM asked
                WHERE action <> 'engagement')) AS rates""",
    ),
    "days": (
        {"metrics": ["visitors", "pageviews"], "dimensions": ["time:day"]},
        """SELECT date, count(DISTINCT visitor_id), count(*) FILTER (action = 'pageview')
            FROM asked WHERE action <> 'engagement' GROUP BY ALL""",
    ),
    "pages": (
        {"metrics": ["visitors", "pageviews"], "dimensions": ["event:page"]},
        """SELECT path, count(DISTINCT visitor_id), count(*) FILTER (action = 'pageview')
            FROM asked WHERE action <> 'engagement' GROUP BY ALL""",
    ),
    "sources": (
        {"metrics": ["visitors"], "dimensions": ["visit:source"]},
        "SELECT source, count(DISTINCT visitor_id) FROM asked WHERE action <> 'engagement' GROUP BY ALL",
    ),
    "pages of a source": (
        {"metrics": ["visitors"], "dimensions": ["event:page"], "filters": [["is", "visit:source", ["Google"]]]},
        """SELECT path, count(DISTINCT visitor_id)
            FROM asked WHERE action <> 'engagement' AND source = 'Google' GROUP BY ALL""",
    ),
    "goals": (
        {"metrics": ["visitors", "events"], "dimensions": ["event:goal"]},
        """SELECT goal, count(DISTINCT visitor_id), count(*)
            FROM (SELECT visitor_id, unnest(goals) AS goal FROM asked WHERE action <> 'engagement') GROUP BY ALL""",
    ),
}


def run(console: Console) -> list[Measured]:
    """No answer to a measured question is in the server's cache: each is asked for another number of rows."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        began = time.monotonic()
        rows = _write_tables(home)
        console.print(f"{rows:,} events in {time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}")
        port = free_port()
        told = {"LOGEKTOR_HOME": str(home), "LOGEKTOR_QUERY_PORT": str(port)}
        with running([sys.executable, "-m", "query_api"], told) as pid:
            headers = {"Authorization": f"Bearer {read_token(home)}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
                _wait_until_ready(client)
                results = [*_reports(client), *_stats(console, client, home)]
            results += _many_clients(f"http://127.0.0.1:{port}", headers, pid)
        return results


def _write_tables(home: Path) -> int:
    """Hits as the table would hold them, and a report of pages; how many hits."""
    register_site(home / "sites.toml", SITE)
    told = {"site": SITE, "first_date": FIRST, "visits_a_day": EVENTS // DAYS // _EVENTS_OF_A_VISIT}
    rows = 0
    with duckdb.connect() as database:
        database.execute(_PAGE)
        for first in range(0, DAYS, _DAYS_AT_ONCE):
            of_days = {**told, "first_day": first, "end_day": first + _DAYS_AT_ONCE}
            database.execute(f"CREATE OR REPLACE TABLE hits AS {_HITS}", of_days)
            database.execute(
                "CREATE OR REPLACE TABLE pages AS SELECT site, date, path, count(*) AS pageviews, "
                "count(DISTINCT visitor_id) AS visitors FROM hits GROUP BY ALL"
            )
            rows += _write(home, HITS.spec, database, first)
            _write(home, PAGES.spec, database, first)
    return rows


def _write(home: Path, spec: TableSpec, database: duckdb.DuckDBPyConnection, first: int) -> int:
    """The database's table of the same name; columns that it does not have are null."""
    table = ReportTable(Lake(str(home / "lake")), spec)
    table.declare()
    made: pl.DataFrame = database.table(spec.name).pl()
    instants = [pl.col(name).dt.replace_time_zone("UTC") for name in ("occurred_at",) if name in made.columns]
    null = [pl.lit(None).alias(name) for name in spec.schema if name not in made.columns]
    rows = made.with_columns(*instants, *null).select(pl.col(name).cast(of) for name, of in spec.schema.items())
    days = [FIRST + timedelta(days=first + number) for number in range(_DAYS_AT_ONCE)]
    table.replace(table.read(), {day: Origin(1, 1) for day in days}, rows)
    return rows.height


def _wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.get("/health/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the query API is not ready within a minute")


def _reports(client: httpx.Client) -> list[Measured]:
    asked = {"site": SITE, "per": "range", "order": "-pageviews"}
    client.get("/api/reports/pages", params=asked).raise_for_status()
    path = "/api/reports/pages"
    fresh = [_milliseconds(client, "GET", path, params={**asked, "limit": 100 + more}) for more in range(100)]
    etag = {"If-None-Match": client.get(path, params=asked).headers["etag"]}
    same = [_milliseconds(client, "GET", path, params=asked, headers=etag) for _ in range(200)]
    return [
        at_most("report of 30 days, p95", _p95(fresh), "ms", 30),
        at_most("the same, unchanged (304), p95", _p95(same), "ms", 3),
    ]


def _stats(console: Console, client: httpx.Client, home: Path) -> list[Measured]:
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    limits = iter(range(1_000, 100_000))
    with duckdb.connect() as database:
        files = database.read_parquet(f"{home}/lake/hits/*/*.parquet", hive_partitioning=True)
        files.filter(f"date BETWEEN DATE '{LAST - timedelta(days=QUERIED_DAYS - 1)}' AND DATE '{LAST}'").to_view(
            "asked"
        )
        for _ in range(ASKED):
            for name, (question, sql) in QUESTIONS.items():
                took = _milliseconds(client, "POST", "/api/v2/query", json=_document(question, next(limits)))
                ours.setdefault(name, []).append(took)
                began = time.perf_counter()
                database.execute(sql).fetchall()
                theirs.setdefault(name, []).append((time.perf_counter() - began) * 1_000)
    for name in QUESTIONS:
        console.print(f"{name}: {median(ours[name]):.0f} ms; DuckDB {median(theirs[name]):.0f} ms")
    everything = [value for values in ours.values() for value in values]
    ratio = sum(map(median, ours.values())) / sum(map(median, theirs.values()))
    return [
        at_most(f"stats queries of {QUERIED_DAYS} days, p95", _p95(everything), "ms", 300),
        Measured("DuckDB, p95", _p95([value for values in theirs.values() for value in values]), "ms"),
        at_most("stats queries / DuckDB, medians", ratio, "ratio", 1.5),
    ]


def _document(question: Mapping[str, Any], limit: int) -> dict[str, Any]:
    return {"site_id": SITE, "date_range": f"{QUERIED_DAYS}d", "pagination": {"limit": limit}, **question}


def _many_clients(url: str, headers: Mapping[str, str], pid: int) -> list[Measured]:
    """Clients that ask what a dashboard asks, one question after the other."""
    ends = time.monotonic() + SECONDS

    def ask(number: int) -> Iterator[tuple[float, bool]]:
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            while time.monotonic() < ends:
                for question, _ in QUESTIONS.values():
                    began = time.perf_counter()
                    answer = client.post("/api/v2/query", json=_document(question, 1_000 + number % 5))
                    yield (time.perf_counter() - began) * 1_000, answer.is_success

    with (
        highest_memory(lambda: _memory(pid)) as highest,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        asked = [
            each for of_client in clients.map(lambda number: list(ask(number)), range(CLIENTS)) for each in of_client
        ]
    return [
        Measured(f"{CLIENTS} clients for {SECONDS:g} s: answers", len(asked) / SECONDS, "per second"),
        Measured("their p95", _p95([took for took, _ in asked]), "ms"),
        at_most("errors among them", sum(not success for _, success in asked), "answers", 0),
        at_most("RSS of the query API at its highest", max(highest) / 2**20, "MiB", 600),
    ]


def _memory(pid: int) -> int:
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


def _milliseconds(client: httpx.Client, method: str, path: str, **words: Any) -> float:
    began = time.perf_counter()
    answer = client.request(method, path, **words)
    took = (time.perf_counter() - began) * 1_000
    if answer.status_code not in (200, 304):
        raise RuntimeError(f"{answer.status_code}: {answer.text}")
    return took


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]
