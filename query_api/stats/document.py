"""The JSON document of a stats query, read into what it asks; each fault is named with its place in the document."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args

from query_api.errors import ApiError
from query_api.stats.date_ranges import NAMED, Days, Instants, Period
from query_api.stats.vocabulary import METRICS, OPERATORS, Operator, is_dimension, is_filterable

MOST_METRICS = len(METRICS)
MOST_DIMENSIONS = 4
MOST_FILTERS = 100
"""Filters of a query, those within others counted too."""

DEEPEST_FILTER = 8
MOST_VALUES = 1_000
LONGEST_TEXT = 2_000
DEFAULT_LIMIT = 10_000

Direction = Literal["asc", "desc"]
Combination = Literal["and", "or", "not"]


@dataclass(frozen=True)
class Comparison:
    """Whether a dimension is one of the values, or contains one of them; None is the value of what is unknown."""

    operator: Operator
    dimension: str
    values: tuple[str | None, ...]
    case_sensitive: bool = True


@dataclass(frozen=True)
class Combined:
    """`and`, `or` of filters, or `not` of one."""

    operator: Combination
    filters: "tuple[Filter, ...]"


Filter = Comparison | Combined


@dataclass(frozen=True)
class StatsQuery:
    """A question to one site. All filters must hold. `order_by`: names, and whether the smallest come first."""

    site: str
    metrics: tuple[str, ...]
    period: Period
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    order_by: tuple[tuple[str, Direction], ...] = ()
    include_total_rows: bool = False
    include_time_labels: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0


def parse(document: object, most_rows: int) -> StatsQuery:
    """The question of a document. Raises ApiError (400), which names the place."""
    fields = _object(document, "", _FIELDS)
    for name in ("site_id", "metrics", "date_range"):
        if name not in fields:
            raise fault(name, "is missing")
    filters = parse_filters(fields.get("filters", []), is_filterable)
    dimensions = _names(fields.get("dimensions", []), "dimensions", is_dimension, MOST_DIMENSIONS, 0)
    metrics = _names(fields["metrics"], "metrics", METRICS.__contains__, MOST_METRICS, 1)
    pagination = _object(fields.get("pagination", {}), "pagination", ("limit", "offset"))
    include = _object(fields.get("include", {}), "include", ("total_rows", "time_labels"))
    query = StatsQuery(
        site=_text(fields["site_id"], "site_id"),
        metrics=metrics,
        period=_period(fields["date_range"]),
        dimensions=dimensions,
        filters=filters,
        order_by=_order(fields.get("order_by", []), metrics, dimensions),
        include_total_rows=_flag(include.get("total_rows", False), "include.total_rows"),
        include_time_labels=_flag(include.get("time_labels", False), "include.time_labels"),
        limit=_number(pagination.get("limit", min(DEFAULT_LIMIT, most_rows)), "pagination.limit", 1, most_rows),
        offset=_number(pagination.get("offset", 0), "pagination.offset", 0, 2**31),
    )
    _require_what_metrics_need(query)
    return query


def comparisons(filters: Iterable[Filter]) -> list[Comparison]:
    """All comparisons of some filters, those within others too."""
    found: list[Comparison] = []
    for each in filters:
        found += [each] if isinstance(each, Comparison) else comparisons(each.filters)
    return found


def fault(place: str, message: str) -> ApiError:
    """A 400 about a place of the document, such as filters[0][1]."""
    return ApiError(400, "invalid_query", f"{place or 'The query'}: {message}.", place or None)


_FIELDS = ("site_id", "metrics", "date_range", "dimensions", "filters", "order_by", "include", "pagination")


def _require_what_metrics_need(query: StatsQuery) -> None:
    asked = {*query.dimensions, *(comparison.dimension for comparison in comparisons(query.filters))}
    for index, name in enumerate(query.metrics):
        needs = METRICS[name].needs
        if needs and not asked.intersection(needs):
            raise fault(f"metrics[{index}]", f"{name} needs {needs[0]} among dimensions or filters")
    if query.include_time_labels and not any(name.startswith("time") for name in query.dimensions):
        raise fault("include.time_labels", "needs a time dimension")


_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _period(value: object) -> Period:
    if isinstance(value, str):
        if value not in NAMED:
            raise fault("date_range", f"{shown(value)} is none of {', '.join(NAMED)}")
        return value
    bounds = _list(value, "date_range", 2)
    if len(bounds) != 2:
        raise fault("date_range", "it is a name or [first, last]")
    first, last = (_day_or_instant(bound, f"date_range[{index}]") for index, bound in enumerate(bounds))
    if isinstance(first, datetime) != isinstance(last, datetime):
        raise fault("date_range", "both are days, or both are instants")
    if first > last:
        raise fault("date_range", "the first is after the last")
    if isinstance(first, datetime) and isinstance(last, datetime):
        return Instants(first, last)
    return Days(first, last)


def _day_or_instant(value: object, place: str) -> date | datetime:
    text = _text(value, place)
    try:
        if _ISO_DAY.fullmatch(text):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise fault(place, f"{shown(text)} is neither a day such as 2026-11-01 nor an instant in ISO 8601") from None
    if instant.tzinfo is None:
        raise fault(place, f"{shown(text)} lacks its offset from UTC, such as Z or +01:00")
    return instant


def parse_filters(value: object, is_filterable: Callable[[str], bool]) -> tuple[Filter, ...]:
    """The filters of a document, which must all hold. Raises ApiError (400), which names the place."""
    items = _list(value, "filters", MOST_FILTERS)
    found = tuple(_filter(item, f"filters[{index}]", 1, is_filterable) for index, item in enumerate(items))
    if len(comparisons(found)) > MOST_FILTERS:
        raise fault("filters", f"more than {MOST_FILTERS} filters")
    return found


def _filter(value: object, place: str, depth: int, is_filterable: Callable[[str], bool]) -> Filter:
    items = _list(value, place, 4)
    operator = items[0] if items else None
    if operator == "and" or operator == "or" or operator == "not":
        return _combined(operator, items, place, depth, is_filterable)
    if operator not in OPERATORS:
        known = ", ".join((*OPERATORS, *get_args(Combination)))
        raise fault(f"{place}[0]", f"{shown(operator)} is no operator; there are {known}")
    if len(items) not in (3, 4):
        raise fault(place, "a filter is [operator, dimension, values]")
    dimension = items[1]
    if not isinstance(dimension, str) or len(dimension) > LONGEST_TEXT or not is_filterable(dimension):
        raise fault(f"{place}[1]", f"{shown(dimension)} is no dimension that can be filtered by")
    modifiers = _object(items[3], f"{place}[3]", ("case_sensitive",)) if len(items) == 4 else {}
    case_sensitive = _flag(modifiers.get("case_sensitive", True), f"{place}[3].case_sensitive")
    values = _values(items[2], f"{place}[2]", may_be_null=operator in ("is", "is_not"))
    return Comparison(operator, dimension, values, case_sensitive)


def _combined(
    operator: Combination, items: Sequence[object], place: str, depth: int, is_filterable: Callable[[str], bool]
) -> Combined:
    if depth >= DEEPEST_FILTER:
        raise fault(place, f"filters stand at most {DEEPEST_FILTER} deep")
    if len(items) != 2:
        raise fault(place, f"it is [{operator!r}, " + ("filter]" if operator == "not" else "[filter, …]]"))
    if operator == "not":
        return Combined(operator, (_filter(items[1], f"{place}[1]", depth + 1, is_filterable),))
    within = _list(items[1], f"{place}[1]", MOST_FILTERS)
    if not within:
        raise fault(f"{place}[1]", "holds no filter")
    return Combined(
        operator,
        tuple(_filter(item, f"{place}[1][{index}]", depth + 1, is_filterable) for index, item in enumerate(within)),
    )


def _values(value: object, place: str, may_be_null: bool) -> tuple[str | None, ...]:
    items = _list(value, place, MOST_VALUES)
    if not items:
        raise fault(place, "holds no value")
    return tuple(
        None if item is None and may_be_null else _text(item, f"{place}[{index}]") for index, item in enumerate(items)
    )


def _order(value: object, metrics: Sequence[str], dimensions: Sequence[str]) -> tuple[tuple[str, Direction], ...]:
    terms: list[tuple[str, Direction]] = []
    for index, item in enumerate(_list(value, "order_by", MOST_METRICS + MOST_DIMENSIONS)):
        place = f"order_by[{index}]"
        pair = _list(item, place, 2)
        if len(pair) != 2 or pair[1] not in get_args(Direction):
            raise fault(place, 'it is [metric or dimension, "asc" or "desc"]')
        if pair[0] not in (*metrics, *dimensions):
            raise fault(f"{place}[0]", f"{shown(pair[0])} is none of the query's metrics and dimensions")
        terms.append((pair[0], pair[1]))
    return tuple(terms)


def _names(value: object, place: str, is_known: Callable[[str], bool], most: int, least: int) -> tuple[str, ...]:
    names = tuple(_text(item, f"{place}[{index}]") for index, item in enumerate(_list(value, place, most)))
    if len(names) < least:
        raise fault(place, "is empty")
    for index, name in enumerate(names):
        if not is_known(name):
            raise fault(f"{place}[{index}]", f"there is no {shown(name)}")
        if name in names[:index]:
            raise fault(f"{place}[{index}]", f"{name} stands there twice")
    return names


def _object(value: object, place: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise fault(place, "is no object")
    for name in value:
        if name not in known:
            raise fault(f"{place}.{name}"[:LONGEST_TEXT].lstrip("."), f"is not known; there are {', '.join(known)}")
    return value


def _list(value: object, place: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise fault(place, "is no list")
    if len(value) > most:
        raise fault(place, f"has more than {most:,} entries")
    return value


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise fault(place, f"{shown(value)} is no text")
    if len(value) > LONGEST_TEXT:
        raise fault(place, f"is longer than {LONGEST_TEXT:,} characters")
    return value


def _flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise fault(place, "is neither true nor false")
    return value


def _number(value: object, place: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise fault(place, f"is no number from {least:,} to {most:,}")
    return value


def shown(value: object) -> str:
    """A value as an error shows it."""
    return repr(value)[:100]
