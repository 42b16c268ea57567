"""The filters of a stats query as expressions, and the column that each dimension is."""

from collections.abc import Callable
from functools import reduce
from operator import and_, or_

import polars as pl

from query_api.stats.document import Combined, Comparison, Filter
from query_api.stats.vocabulary import PROPERTY, is_property

GOAL = "event:goal"

_COLUMNS = {
    "event:name": "action",
    "event:page": "path",
    "event:hostname": "host",
    "visit:source": "source",
    "visit:channel": "channel",
    "visit:referrer": "referrer_host",
    "visit:utm_source": "utm_source",
    "visit:utm_medium": "utm_medium",
    "visit:utm_campaign": "utm_campaign",
    "visit:utm_content": "utm_content",
    "visit:utm_term": "utm_term",
    "visit:entry_page": "entry_page",
    "visit:exit_page": "exit_page",
    "visit:country": "country",
    "visit:device": "device",
    "visit:browser": "browser",
    "visit:os": "os",
}


def dimension_value(name: str) -> pl.Expr:
    """The text that a row has in a dimension; null where it has none. Not for goals, of which a row has several."""
    if is_property(name):
        return _property(name.removeprefix(PROPERTY))
    return pl.col(_COLUMNS[name])


def condition(of: Filter) -> pl.Expr:
    """Whether a row meets a filter; never null."""
    return combined(of, _compared)


def combined(of: Filter, compared: Callable[[Comparison], pl.Expr]) -> pl.Expr:
    """Whether a row meets a filter whose comparisons are told by `compared`."""
    if isinstance(of, Comparison):
        return compared(of)
    within = [combined(each, compared) for each in of.filters]
    if of.operator == "not":
        return ~within[0]
    return reduce(and_ if of.operator == "and" else or_, within)


def without_goals(of: Filter) -> Filter | None:
    """The filter with what it says of goals left out; None where nothing else is left."""
    if isinstance(of, Comparison):
        return None if of.dimension == GOAL else of
    kept = tuple(each for each in map(without_goals, of.filters) if each is not None)
    return Combined(of.operator, kept) if kept else None


def meets(value: pl.Expr, comparison: Comparison) -> pl.Expr:
    """Whether a text meets a comparison; never null. Values are plain texts, never patterns: nothing of them is run."""
    found = _is_one_of(value, comparison)
    return found if comparison.operator in ("is", "contains") else ~found


def _compared(comparison: Comparison) -> pl.Expr:
    if comparison.dimension != GOAL:
        return meets(dimension_value(comparison.dimension), comparison)
    # A row has as many goals as it reaches: one of them is enough.
    reached = pl.col("goals").list.eval(_is_one_of(pl.element(), comparison)).list.any().fill_null(False)
    return reached if comparison.operator in ("is", "contains") else ~reached


def _is_one_of(value: pl.Expr, comparison: Comparison) -> pl.Expr:
    texts = [text for text in comparison.values if text is not None]
    if not comparison.case_sensitive:
        value, texts = value.str.to_lowercase(), [text.lower() for text in texts]
    if comparison.operator in ("is", "is_not"):
        found = value.is_in(texts)
    else:
        found = pl.any_horizontal(value.str.contains(text, literal=True) for text in texts)
    found = found.fill_null(False)
    return found | value.is_null() if None in comparison.values else found


def _property(name: str) -> pl.Expr:
    """A property as a text: texts as they are, numbers and flags as JSON writes them; null where it is absent."""
    quoted = name.replace('"', '\\"')
    return pl.col("properties").str.json_path_match(f'$["{quoted}"]')
