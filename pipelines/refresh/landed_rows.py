"""Which landed rows a refresh looks at, as conditions that prune files."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

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


def happened_on(days: Collection[date], time_zones: Mapping[str, str]) -> pl.Expr:
    """Whether a landed row may be of these days on some site's calendar; bounds of occurred_at, which prune files."""
    first, end = bounds(days, time_zones)
    return pl.col("occurred_at").is_between(first, end, closed="left")


def bounds(days: Collection[date], time_zones: Mapping[str, str]) -> tuple[datetime, datetime]:
    """When the first of these days begins anywhere, and when the last of them has ended everywhere."""
    zones = [ZoneInfo(zone) for zone in {"UTC", *time_zones.values()}]
    begin, end = min(days), max(days) + timedelta(days=1)
    return (
        min(datetime.combine(begin, time(), zone).astimezone(UTC) for zone in zones),
        max(datetime.combine(end, time(), zone).astimezone(UTC) for zone in zones),
    )


def thin(landed: pl.LazyFrame, time_zones: Mapping[str, str]) -> pl.LazyFrame:
    """Landed rows with what decides which of them count, and on which day; and the day that they were landed."""
    return landed.select(*EVENT, *PLACE, "received_at", "landed_date", event_date=day_of(time_zones))


def day_of(time_zones: Mapping[str, str]) -> pl.Expr:
    """The day of a landed row."""
    return local_date(pl.col("occurred_at"), time_zones)
