"""Which landed rows a refresh looks at, as conditions that prune files."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta

import polars as pl

from lake.progress import Progress
from pipelines.reports.clean_events import local_date
from pipelines.reports.duplicates import EVENT, PLACE


def below(progress: Progress) -> pl.Expr:
    """Rows of the stream partitions of a progress that are before it."""
    return pl.any_horizontal(
        pl.lit(False),
        *(
            (pl.col("stream_id") == stream_id) & (pl.col("kafka_partition") == partition)
            & (pl.col("kafka_offset") < offset)
            for (stream_id, partition), offset in progress.items()
        ),
    )  # fmt: skip


def landed_on(days: Collection[date]) -> pl.Expr:
    """Whether a landed row may be of these days in any time zone; as bounds of occurred_at, which prune files."""
    midnight = datetime.min.time()
    first = datetime.combine(min(days) - timedelta(days=1), midnight, UTC)
    end = datetime.combine(max(days) + timedelta(days=2), midnight, UTC)
    return pl.col("occurred_at").is_between(first, end, closed="left")


def thin(landed: pl.LazyFrame, time_zones: Mapping[str, str]) -> pl.LazyFrame:
    """Landed rows with what decides which of them count, and on which day."""
    return landed.select(*EVENT, *PLACE, "received_at", event_date=local_date(pl.col("occurred_at"), time_zones))
