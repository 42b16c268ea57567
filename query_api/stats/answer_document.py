"""The JSON of an answer: rows, what was asked for beside them, and the question as it was understood."""

import json
from collections.abc import Sequence
from typing import Any

from query_api.stats.answer import Answer, order_of
from query_api.stats.date_ranges import Range
from query_api.stats.document import Comparison, Filter, StatsQuery


def answer_json(query: StatsQuery, asked: Range, answer: Answer, labels: Sequence[str] | None) -> bytes:
    """{"results": [{"metrics", "dimensions"}], "meta", "query"}, as Plausible's Stats API v2 writes it."""
    parted = len(query.dimensions)
    results = [{"metrics": row[parted:], "dimensions": row[:parted]} for row in answer.rows.iter_rows()]
    meta: dict[str, Any] = {}
    if labels is not None:
        meta["time_labels"] = labels
    if query.include_total_rows:
        meta["total_rows"] = answer.total_rows
    document = {"results": results, "meta": meta, "query": _query(query, asked)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _query(query: StatsQuery, asked: Range) -> dict[str, Any]:
    bounds = (asked.first, asked.last) if asked.begin is None or asked.end is None else (asked.begin, asked.end)
    return {
        "site_id": query.site,
        "metrics": query.metrics,
        "date_range": [bound.isoformat() for bound in bounds],
        "dimensions": query.dimensions,
        "filters": [_filter(each) for each in query.filters],
        "order_by": order_of(query),
        "include": {"total_rows": query.include_total_rows, "time_labels": query.include_time_labels},
        "pagination": {"limit": query.limit, "offset": query.offset},
    }


def _filter(of: Filter) -> list[Any]:
    if isinstance(of, Comparison):
        modifiers = [] if of.case_sensitive else [{"case_sensitive": False}]
        return [of.operator, of.dimension, of.values, *modifiers]
    within = [_filter(each) for each in of.filters]
    return [of.operator, within[0] if of.operator == "not" else within]
