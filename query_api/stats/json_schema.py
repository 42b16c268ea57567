"""The JSON Schema of a stats query: for editors, for clients, and for whoever checks documents before sending them."""

from query_api.stats.date_ranges import NAMED
from query_api.stats.document import (
    DEEPEST_FILTER,
    LONGEST_TEXT,
    MOST_DIMENSIONS,
    MOST_FILTERS,
    MOST_METRICS,
    MOST_VALUES,
)
from query_api.stats.vocabulary import (
    EVENT_DIMENSIONS,
    METRICS,
    OPERATORS,
    PROPERTY,
    PROPERTY_NAMES,
    TIME_DIMENSIONS,
    VISIT_DIMENSIONS,
)

Schema = dict[str, object]

_PROPERTY: Schema = {"type": "string", "pattern": rf"^{PROPERTY}[^\\]+$", "maxLength": LONGEST_TEXT}
_DIMENSIONS_ONLY = {PROPERTY_NAMES: "the names of the properties that events have", **TIME_DIMENSIONS}


def json_schema(most_rows: int) -> Schema:
    """The schema (draft 2020-12). What it can't say is in the descriptions: those rules are checked too."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A question to the statistics of one site",
        "type": "object",
        "additionalProperties": False,
        "required": ["site_id", "metrics", "date_range"],
        "properties": {
            "site_id": {"type": "string", "maxLength": LONGEST_TEXT, "description": "the site's domain"},
            "metrics": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_METRICS,
                "uniqueItems": True,
                "items": {"oneOf": [_word(name, metric.meaning) for name, metric in METRICS.items()]},
            },
            "date_range": _date_range(),
            "dimensions": {
                "type": "array",
                "maxItems": MOST_DIMENSIONS,
                "uniqueItems": True,
                "items": {"oneOf": [*_filterable(), *(_word(*word) for word in _DIMENSIONS_ONLY.items())]},
            },
            "filters": {
                "type": "array",
                "maxItems": MOST_FILTERS,
                "items": {"$ref": "#/$defs/filter"},
                "description": f"all must hold; at most {MOST_FILTERS} in all, {DEEPEST_FILTER} deep",
            },
            "order_by": _order_by(),
            "include": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "total_rows": {"type": "boolean", "description": "how many rows there are, on all pages"},
                    "time_labels": {"type": "boolean", "description": "all values of the time dimension, in order"},
                },
            },
            "pagination": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "limit": {"type": "integer", "minimum": 1, "maximum": most_rows},
                    "offset": {"type": "integer", "minimum": 0, "maximum": 2**31},
                },
            },
        },
        "$defs": {"filter": _filter()},
    }


def _word(name: str, meaning: str) -> Schema:
    return {"const": name, "description": meaning}


def _filterable() -> list[Schema]:
    words = [_word(*word) for word in (*EVENT_DIMENSIONS.items(), *VISIT_DIMENSIONS.items())]
    return [*words, {**_PROPERTY, "description": "a property of the event, by its name"}]


def _date_range() -> Schema:
    bounds: Schema = {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {"type": "string", "maxLength": LONGEST_TEXT},
        "description": "two days (YYYY-MM-DD), both inclusive in the site's time zone, or two instants in ISO 8601 "
        "with their offset, the second exclusive",
    }
    named: Schema = {"enum": list(NAMED), "description": "ends today, and begins so many days or months before"}
    return {"oneOf": [named, bounds]}


def _order_by() -> Schema:
    return {
        "type": "array",
        "maxItems": MOST_METRICS + MOST_DIMENSIONS,
        "items": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "prefixItems": [
                {"type": "string", "description": "a metric or dimension of the query"},
                {"enum": ["asc", "desc"]},
            ],
        },
    }


def _filter() -> Schema:
    one: Schema = {"$ref": "#/$defs/filter"}
    text: Schema = {"type": "string", "maxLength": LONGEST_TEXT}
    modifiers: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"case_sensitive": {"type": "boolean", "default": True}},
    }
    text_or_null: Schema = {"oneOf": [text, {"type": "null"}]}
    dimension: Schema = {"oneOf": _filterable()}
    contains = [name for name in OPERATORS if name.startswith("contains")]
    comparisons = [
        _tuple({"enum": ["is", "is_not"]}, dimension, _values(text_or_null), modifiers, least=3),
        _tuple({"enum": contains}, dimension, _values(text), modifiers, least=3),
    ]
    combined = _tuple({"enum": ["and", "or"]}, {"type": "array", "minItems": 1, "maxItems": MOST_FILTERS, "items": one})
    return {"oneOf": [*comparisons, combined, _tuple({"const": "not"}, one)]}


def _values(value: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "items": value}


def _tuple(*items: Schema, least: int | None = None) -> Schema:
    return {
        "type": "array",
        "prefixItems": list(items),
        "minItems": len(items) if least is None else least,
        "maxItems": len(items),
    }
