"""The answer to a stats query, computed from rows of `hits`. Pure: nothing is read here."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from query_api.stats.date_ranges import Range
from query_api.stats.document import Comparison, Direction, StatsQuery
from query_api.stats.filters import GOAL, condition, dimension_value, meets, without_goals
from query_api.stats.property_names import with_property_names
from query_api.stats.vocabulary import PROPERTY_NAMES, TIME_DIMENSIONS

ENGAGEMENT = "engagement"
"""What the script says on leaving a page: it tells of a visit that other events made."""

_OF_VISITS = {"views_per_visit", "bounce_rate", "visit_duration"}
_OF_PAGES = {"scroll_depth", "time_on_page"}
_SHARES = {"percentage", "conversion_rate"}


@dataclass(frozen=True)
class Answer:
    """Rows with a column for each dimension and metric of the query, in its order, and how many there are in all."""

    rows: pl.DataFrame
    total_rows: int


def answer(query: StatsQuery, asked: Range, time_zone: str, hits: pl.LazyFrame) -> Answer:
    """The page of rows that a query asks for. `hits` may hold other sites and days."""
    of_site = _of_range(hits, query.site, asked)
    matching = of_site.filter(pl.lit(True), *map(condition, query.filters))
    keys = list(query.dimensions)
    rows = _parted(matching, query, asked, time_zone)
    happened = _happened(rows)
    measured = _counts(happened, keys)
    if _OF_VISITS.intersection(query.metrics):
        measured = _joined(measured, _visits(happened, keys), keys)
    if _OF_PAGES.intersection(query.metrics):
        measured = _joined(measured, _pages(rows, keys), keys)
    if "percentage" in query.metrics:
        measured = _with_share(measured, "percentage", _happened(matching).select(_VISITORS.alias("_all")), [])
    if "conversion_rate" in query.metrics:
        measured = _with_conversion_rate(measured, query, asked, time_zone, of_site)
    whole = measured.select(*keys, *query.metrics).collect(engine="streaming")
    terms = order_of(query)
    names, directions = [name for name, _ in terms], [direction for _, direction in terms]
    rest = [name for name in keys if name not in names]
    down = [direction == "desc" for direction in directions]
    ordered = whole.sort([*names, *rest], descending=[*down, *(False for _ in rest)], nulls_last=True)
    return Answer(ordered.slice(query.offset, query.limit), whole.height)


def order_of(query: StatsQuery) -> Sequence[tuple[str, Direction]]:
    """What rows are sorted by: as asked, else times from old to new, then the first metric from the largest."""
    times: list[tuple[str, Direction]] = [(name, "asc") for name in query.dimensions if name in TIME_DIMENSIONS]
    return query.order_by or [*times, (query.metrics[0], "desc")]


def time_unit(name: str, asked: Range) -> str:
    """The unit of a time dimension; that of plain `time` goes by the length of the range."""
    _, _, unit = name.partition(":")
    return unit or ("hour" if asked.begin is not None or asked.days == 1 else "day" if asked.days <= 91 else "month")


_IS_HIT = pl.col("action") != ENGAGEMENT
_VISITORS = pl.col("_visitor").drop_nulls().n_unique()


def _of_range(hits: pl.LazyFrame, site: str, asked: Range) -> pl.LazyFrame:
    rows = hits.filter(pl.col("date").is_between(asked.first, asked.last), pl.col("site") == site)
    if asked.begin is not None:
        rows = rows.filter(pl.col("occurred_at").is_between(asked.begin, asked.end, closed="left"))
    return rows


def _happened(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows without engagements, with `_visitor` for counting.

    Hashes of 64 bits are counted in half the time: among a million visitors two share one in one of 37 million counts.
    """
    visitor = pl.when(pl.col("visitor_id").is_not_null()).then(pl.col("visitor_id").hash())
    return rows.filter(_IS_HIT).with_columns(_visitor=visitor)


def _parted(rows: pl.LazyFrame, query: StatsQuery, asked: Range, time_zone: str) -> pl.LazyFrame:
    """Adds a column for each dimension; a row of several goals or properties is there once for each."""
    for name in query.dimensions:
        if name == GOAL:
            rows = rows.with_columns(pl.col("goals").alias(GOAL)).explode(GOAL).drop_nulls(GOAL)
        elif name == PROPERTY_NAMES:
            rows = with_property_names(rows, name)
        elif name in TIME_DIMENSIONS:
            rows = rows.with_columns(time_text(time_unit(name, asked), time_zone).alias(name))
        else:
            rows = rows.with_columns(dimension_value(name).alias(name))
    if GOAL in query.dimensions:
        # A row that is there for one of its goals is counted for those only that the filters ask for.
        of_goals = [each for each in query.filters if isinstance(each, Comparison) and each.dimension == GOAL]
        rows = rows.filter(pl.lit(True), *(meets(pl.col(GOAL), each) for each in of_goals))
    return rows


def time_text(unit: str, time_zone: str) -> pl.Expr:
    """The hour, day, week or month of a row, as a time dimension says it."""
    if unit == "hour":
        return pl.col("occurred_at").dt.convert_time_zone(time_zone).dt.strftime("%Y-%m-%d %H:00:00")
    day = pl.col("date")
    return (day if unit == "day" else day.dt.truncate("1w" if unit == "week" else "1mo")).dt.strftime("%Y-%m-%d")


def _grouped(rows: pl.LazyFrame, keys: Sequence[str], *measures: pl.Expr) -> pl.LazyFrame:
    """One row per key; without keys a single row, also where there is nothing."""
    return rows.group_by(keys).agg(*measures) if keys else rows.select(*measures)


def _joined(left: pl.LazyFrame, right: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    if not keys:
        return pl.concat([left, right], how="horizontal")
    return left.join(right, on=list(keys), how="left", nulls_equal=True)


def _counts(happened: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """What was only left, and not come to, is no group: a page that is read past midnight, say."""
    return _grouped(
        happened,
        keys,
        _VISITORS.alias("visitors"),
        pl.col("session_id").drop_nulls().n_unique().alias("visits"),
        (pl.col("action") == "pageview").sum().alias("pageviews"),
        pl.len().alias("events"),
    )


def _visits(happened: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """What the visits of each group are like, each counted once in it; null where there are none."""
    visits = happened.drop_nulls("session_id").unique([*keys, "session_id"])
    return _grouped(
        visits,
        keys,
        pl.col("session_pageviews").mean().round(2).alias("views_per_visit"),
        (pl.col("session_is_bounce").mean() * 100).round(2).alias("bounce_rate"),
        pl.col("session_seconds").mean().round(0).alias("visit_duration"),
    )


def _pages(rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """How pages were read: by those who left them, each visitor once."""
    readers = (
        rows.filter(~_IS_HIT)
        .group_by([*keys, "visitor_id"])
        .agg(pl.col("scroll_depth").max(), pl.col("engaged_ms").sum())
    )
    return _grouped(
        readers,
        keys,
        pl.col("scroll_depth").mean().round(0).alias("scroll_depth"),
        (pl.col("engaged_ms").mean() / 1000).round(0).alias("time_on_page"),
    )


def _with_conversion_rate(
    measured: pl.LazyFrame, query: StatsQuery, asked: Range, time_zone: str, of_site: pl.LazyFrame
) -> pl.LazyFrame:
    kept = [each for each in map(without_goals, query.filters) if each is not None]
    everybody = of_site.filter(pl.lit(True), *map(condition, kept))
    keys = [name for name in query.dimensions if name != GOAL]
    without_goal = StatsQuery(query.site, query.metrics, query.period, tuple(keys), tuple(kept))
    happened = _happened(_parted(everybody, without_goal, asked, time_zone))
    all_visitors = _grouped(happened, keys, _VISITORS.alias("_all"))
    return _with_share(measured, "conversion_rate", all_visitors, keys)


def _with_share(measured: pl.LazyFrame, name: str, of_all: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Adds visitors as a share of `_all`, in percent."""
    joined = (
        measured.join(of_all, on=list(keys), how="left", nulls_equal=True)
        if keys
        else measured.join(of_all, how="cross")
    )
    share = pl.when(pl.col("_all") > 0).then(pl.col("visitors") / pl.col("_all") * 100).round(2)
    return joined.with_columns(share.alias(name)).drop("_all")
