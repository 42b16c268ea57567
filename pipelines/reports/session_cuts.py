"""Where a visitor's sessions begin and end: the rule, on rows that are no wider than it needs."""

from datetime import timedelta

import polars as pl

IDLE = timedelta(minutes=30)
"""A visitor's next event begins a new session when more than this has passed since the last."""

PASSIVE_ACTIONS = ("error", "request", "engagement")
"""Neither begin nor extend a session nor end a bounce: lines of access logs that no visitor did on purpose, and what
the script says when a page is left. Every other action is interactive, page views too."""

_ORDER = ("_who", "event_date", "occurred_at", "kafka_partition", "kafka_offset")
"""Events of one instant are in the order they were landed in: of a batch or a log, the order in it."""


def cut(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per session: what its events add up to, and which rows say more of it.

    `events` have their number in the column `row`. The answer has session (a number), session_number (1 for the first
    session of a visitor's day), entry_row, first_view_row and last_view_row (these two null without page view),
    started_at, ended_at, pageviews, events (interactive ones), engaged_ms.
    """
    return totals(in_sessions(events.filter(~pl.col("action").is_in(PASSIVE_ACTIONS) | _says_engaged)))


def in_sessions(events: pl.LazyFrame) -> pl.LazyFrame:
    """The events that belong to a session, in order: `row`, the number `session`, and what `totals` adds up.

    A passive one belongs to the session it follows.
    """
    # Polars' streaming engine takes twice the time to sort.
    return _numbered(_narrow(events).map_batches(lambda rows: rows.sort(_ORDER)))


_says_engaged = pl.col("engaged_ms").is_not_null()


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


def totals(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per session of rows as `in_sessions` answers them; columns as those of `cut`."""
    active, viewed = pl.col("_active"), pl.when("_viewed")
    return rows.group_by("session").agg(
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
