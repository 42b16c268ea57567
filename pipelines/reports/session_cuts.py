"""Where a visitor's sessions begin and end: the rule, on rows that are no wider than it needs."""

from datetime import timedelta

import polars as pl

IDLE = timedelta(minutes=30)
"""A visitor's next event begins a new session when more than this has passed since the last."""

PASSIVE_ACTIONS = ("error", "request", "engagement")
"""Neither begin nor extend a session nor end a bounce: lines of access logs that no visitor did on purpose, and what
the script says when a page is left. Every other action is interactive, page views too."""

NEEDED = (
    *("site", "visitor_id", "event_date", "occurred_at", "kafka_partition", "kafka_offset"),
    *("action", "engaged_ms"),
)
"""The columns of `events` that decide it."""

_ORDER = ("_who", "event_date", "occurred_at", "kafka_partition", "kafka_offset")
"""Events of one instant are in the order they were landed in: of a batch or a log, the order in it."""


def in_sessions(events: pl.DataFrame) -> pl.DataFrame:
    """The events that belong to a session, in order: `row` (their number), the number `session`, and what is summed up.

    A passive one belongs to the session it follows.
    """
    return _numbered(_narrow(events.lazy().with_row_index("row")).sort(_ORDER)).collect(engine="in-memory")


def _narrow(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events of visitors. Sorting codes instead of the texts takes a twentieth of the time."""
    who = _code("site").cast(pl.UInt64) * 2**32 + _code("visitor_id")
    action = pl.col("action")
    return events.filter(pl.col("visitor_id").is_not_null()).select(
        "row",
        "event_date",
        "occurred_at",
        "kafka_partition",
        "kafka_offset",
        "engaged_ms",
        _who=who,
        _active=~action.is_in(PASSIVE_ACTIONS),
        _viewed=action == "pageview",
    )


def _code(name: str) -> pl.Expr:
    """A number for each distinct text."""
    return pl.col(name).cast(pl.Categorical(pl.Categories.random())).to_physical()


def _numbered(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `session` and session_number to rows in order.

    What comes before the first interactive event of a visitor's day is in no session, and left out.
    """
    visitor_day = pl.col("_who", "event_date")
    day = pl.any_horizontal(visitor_day != visitor_day.shift()).fill_null(True).cum_sum()
    at = pl.col("occurred_at")
    first_of_day = (pl.col("_day") != pl.col("_day").shift()).fill_null(True)
    before_day = pl.when(first_of_day).then(pl.col("session") - 1).forward_fill()
    idle = at - _last_active(at).shift() > IDLE
    # Whole days since the visitor came: a session that is cut for its age goes on as the next one.
    age = (at - pl.when("_came").then(at).forward_fill()).dt.total_days()
    begins = pl.col("_active") & (pl.col("_came") | (age > _last_active(age).shift()))
    return (
        rows.with_columns(_day=day)
        .filter(_last_active(pl.col("_day")) == pl.col("_day"))
        .with_columns(_came=pl.col("_active") & (first_of_day | idle))
        .with_columns(session=begins.cum_sum())
        .with_columns(session_number=pl.col("session") - before_day)
    )


def _last_active(value: pl.Expr) -> pl.Expr:
    """The value in the last interactive event up to here."""
    return pl.when("_active").then(value).forward_fill()


def totals(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per session of rows as `in_sessions` answers them: what its events add up to, and which say more of it.

    The answer has session (a number), session_number (1 for the first session of a visitor's day), entry_row,
    first_view_row and last_view_row (these two null without page view), started_at, ended_at, pageviews, events
    (interactive ones), engaged_ms, duration_seconds, is_bounce.
    """
    active, viewed = pl.col("_active"), pl.when("_viewed")
    summed = rows.group_by("session").agg(
        session_number=pl.col("session_number").first(),
        entry_row=pl.col("row").first(),
        first_view_row=viewed.then("row").first(ignore_nulls=True),
        last_view_row=viewed.then("row").last(ignore_nulls=True),
        started_at=pl.col("occurred_at").first(),
        ended_at=pl.when(active).then("occurred_at").last(ignore_nulls=True),
        pageviews=pl.col("_viewed").sum(),
        events=active.sum(),
        engaged_ms=pl.col("engaged_ms").sum(),
    )
    return summed.with_columns(
        duration_seconds=(pl.col("ended_at") - pl.col("started_at")).dt.total_seconds(),
        is_bounce=(pl.col("pageviews") == 1) & (pl.col("events") == 1),
    ).sort("session")


def paths(events: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """The path of each numbered row, empty where it has none; null where there is no such row."""
    return events["path"].fill_null("").gather(rows)
