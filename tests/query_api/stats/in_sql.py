"""The same answers by DuckDB: SQL written for itself, so that a mistake would have to be made twice."""

from typing import Any

import duckdb
import polars as pl

from query_api.stats.date_ranges import Range
from query_api.stats.document import Comparison, Filter, StatsQuery

_COLUMNS = {
    "event:name": "action",
    "event:page": "path",
    "event:hostname": "host",
    "visit:referrer": "referrer_host",
}


def answer_in_sql(query: StatsQuery, asked: Range, time_zone: str, hits: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows without order: dimensions, then metrics."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("hits", hits.to_arrow())
        return connection.execute(_sql(query, asked, time_zone)).fetchall()


def _sql(query: StatsQuery, asked: Range, time_zone: str) -> str:
    keys = [f"k{number}" for number in range(len(query.dimensions))]
    by = f"GROUP BY {', '.join(keys)}" if keys else ""
    select = ", ".join([*keys, ""]) if keys else ""
    match = _same(keys)
    everybody = [name for name in query.dimensions if name != "event:goal"]
    everybody_keys = [f"k{query.dimensions.index(name)}" for name in everybody]
    metrics = {
        "visitors": "c.visitors",
        "visits": "c.visits",
        "pageviews": "c.pageviews",
        "events": "c.events",
        "views_per_visit": "round(v.views, 2)",
        "bounce_rate": "round(v.bounces, 2)",
        "visit_duration": "round(v.seconds, 0)",
        "percentage": "round(100 * c.visitors / nullif(a.visitors, 0), 2)",
        "conversion_rate": "round(100 * c.visitors / nullif(e.visitors, 0), 2)",
        "scroll_depth": "round(p.scroll, 0)",
        "time_on_page": "round(p.seconds, 0)",
    }
    shown = ", ".join([*(f"c.{key}" for key in keys), *(metrics[name] for name in query.metrics)])
    no_goals = [_without_goals(each) for each in query.filters]
    # The names in it are the test's own.
    return f"""
    WITH ranged AS (SELECT * FROM hits WHERE {_of_range(query, asked)}),
    matching AS (SELECT * FROM ranged WHERE {_all(query.filters)}),
    parted AS ({_parted("matching", query.dimensions, asked, time_zone, query.filters)}),
    everybody AS (SELECT * FROM ranged WHERE {" AND ".join(["true", *(sql for sql in no_goals if sql)])}),
    counted AS (
        SELECT {select}
            count(DISTINCT visitor_id) FILTER (action <> 'engagement') AS visitors,
            count(DISTINCT session_id) FILTER (action <> 'engagement') AS visits,
            count(*) FILTER (action = 'pageview') AS pageviews,
            count(*) FILTER (action <> 'engagement') AS events
        FROM parted {by}),
    visits AS (
        SELECT {select} avg(session_pageviews) AS views, 100 * avg(session_is_bounce::INT) AS bounces,
            avg(session_seconds) AS seconds
        FROM (SELECT DISTINCT {select} session_id, session_pageviews, session_is_bounce, session_seconds
              FROM parted WHERE action <> 'engagement' AND session_id IS NOT NULL) {by}),
    pages AS (
        SELECT {select} avg(scroll) AS scroll, avg(engaged) / 1000 AS seconds
        FROM (SELECT {select} visitor_id, max(scroll_depth) AS scroll, coalesce(sum(engaged_ms), 0) AS engaged
              FROM parted WHERE action = 'engagement' GROUP BY ALL) {by}),
    everyone AS (
        SELECT {", ".join([*everybody_keys, ""]) if everybody_keys else ""}
            count(DISTINCT visitor_id) FILTER (action <> 'engagement') AS visitors
        FROM ({_parted("everybody", everybody, asked, time_zone, (), everybody_keys)})
        {f"GROUP BY {', '.join(everybody_keys)}" if everybody_keys else ""})
    SELECT {shown} FROM counted c
    LEFT JOIN visits v ON {match("v")} LEFT JOIN pages p ON {match("p")}
    LEFT JOIN everyone e ON {_same(everybody_keys)("e")}
    CROSS JOIN (SELECT count(DISTINCT visitor_id) FILTER (action <> 'engagement') AS visitors FROM matching) a
    WHERE {"c.events > 0" if keys else "true"}
    """


def _same(keys: list[str]) -> Any:
    def of(table: str) -> str:
        return " AND ".join(["true", *(f"{table}.{key} IS NOT DISTINCT FROM c.{key}" for key in keys)])

    return of


def _of_range(query: StatsQuery, asked: Range) -> str:
    parts = [f"site = {_quoted(query.site)}", f"date BETWEEN '{asked.first}' AND '{asked.last}'"]
    if asked.begin is not None and asked.end is not None:
        parts.append(f"occurred_at >= '{asked.begin.isoformat()}' AND occurred_at < '{asked.end.isoformat()}'")
    return " AND ".join(parts)


def _parted(
    table: str,
    dimensions: Any,
    asked: Range,
    time_zone: str,
    filters: Any,
    keys: list[str] | None = None,
) -> str:
    keys = keys or [f"k{number}" for number in range(len(dimensions))]
    valued = [(f"{_value(name, asked, time_zone)} AS {key}", name) for name, key in zip(dimensions, keys, strict=True)]
    columns = [sql for sql, name in valued if name != "event:props"]
    sql = f"SELECT *, {', '.join(columns)} FROM {table}" if columns else f"SELECT * FROM {table}"
    if "event:goal" in dimensions:
        key = keys[list(dimensions).index("event:goal")]
        of_goals = [each for each in filters if isinstance(each, Comparison) and each.dimension == "event:goal"]
        met = " AND ".join(["true", *(_signed(each, _one_of(key, each)) for each in of_goals)])
        sql = f"SELECT * FROM ({sql}) WHERE {key} IS NOT NULL AND {met}"
    # Two lists that are unnested in one SELECT go side by side, and not each with each.
    for column in (sql for sql, name in valued if name == "event:props"):
        sql = f"SELECT *, {column} FROM ({sql})"
    return sql


def _value(name: str, asked: Range, time_zone: str) -> str:
    if name == "event:goal":
        return "unnest(goals)"
    if name == "event:props":
        return "unnest(json_keys(properties))"
    if name.startswith("time"):
        unit = name[5:] or (
            "hour" if asked.begin is not None or asked.days == 1 else "day" if asked.days <= 91 else "month"
        )
        if unit == "hour":
            return f"strftime(occurred_at AT TIME ZONE '{time_zone}', '%Y-%m-%d %H:00:00')"
        return f"strftime(date_trunc('{unit}', date), '%Y-%m-%d')"
    return _text(name)


def _text(name: str) -> str:
    if name.startswith("event:props:"):
        path = '$."' + name.removeprefix("event:props:").replace('"', '\\"') + '"'
        return f"json_extract_string(properties, {_quoted(path)})"
    return _COLUMNS.get(name, name.removeprefix("visit:"))


def _all(filters: Any) -> str:
    return " AND ".join(["true", *map(_condition, filters)])


def _condition(of: Filter) -> str:
    if isinstance(of, Comparison):
        if of.dimension == "event:goal":
            reached = f"len(list_filter(coalesce(goals, []), lambda goal : {_one_of('goal', of)})) > 0"
            return _signed(of, reached)
        return _signed(of, _one_of(_text(of.dimension), of))
    if of.operator == "not":
        return f"(NOT {_condition(of.filters[0])})"
    return "(" + f" {of.operator} ".join(map(_condition, of.filters)) + ")"


def _without_goals(of: Filter) -> str | None:
    if isinstance(of, Comparison):
        return None if of.dimension == "event:goal" else _condition(of)
    kept = [sql for sql in map(_without_goals, of.filters) if sql]
    if not kept:
        return None
    return f"(NOT {kept[0]})" if of.operator == "not" else "(" + f" {of.operator} ".join(kept) + ")"


def _signed(of: Comparison, sql: str) -> str:
    return sql if of.operator in ("is", "contains") else f"(NOT {sql})"


def _one_of(value: str, of: Comparison) -> str:
    texts = [text for text in of.values if text is not None]
    if not of.case_sensitive:
        value, texts = f"lower({value})", [text.lower() for text in texts]
    test = f"{value} = {{}}" if of.operator in ("is", "is_not") else f"contains({value}, {{}})"
    parts = [f"coalesce({test.format(_quoted(text))}, false)" for text in texts]
    if None in of.values:
        parts.append(f"({value} IS NULL)")
    return "(" + " OR ".join(parts) + ")"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
