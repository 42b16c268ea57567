"""Telling people from bots, and counting them: a visitor with any event of a bot on a day is a bot all that day."""

import polars as pl

VISITOR_DAY = ("site", "event_date", "visitor_id")


def bot_visitors(events: pl.LazyFrame) -> pl.LazyFrame:
    """The (site, event_date, visitor_id) of bots, each once."""
    return events.filter(pl.col("is_bot"), pl.col("visitor_id").is_not_null()).select(VISITOR_DAY).unique()


def with_by_bot(events: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `by_bot`: whether the event's visitor is a bot; without visitor, whether the event itself is a bot's."""
    bots = bot_visitors(events).with_columns(_bot=pl.lit(True))
    return (
        events.join(bots, on=VISITOR_DAY, how="left")
        .with_columns(by_bot=pl.col("is_bot") | pl.col("_bot").fill_null(False))
        .drop("_bot")
    )


def of_people(events: pl.LazyFrame) -> pl.LazyFrame:
    """The events that are not by bots."""
    return events.filter(~pl.col("is_bot")).join(bot_visitors(events), on=VISITOR_DAY, how="anti")


def distinct(name: str) -> pl.Expr:
    """How many values a column of texts has, null not among them.

    Counted by hashes of 64 bits, which takes half the time: among a million values two share one, and are counted as
    one, in one of 37 million counts.
    """
    return pl.col(name).hash().n_unique() - pl.col(name).is_null().any()
