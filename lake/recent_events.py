"""What was landed lately, for readers who look again and again."""

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock

import polars as pl
from deltalake import DeltaTable

from lake.location import Lake
from lake.raw import open_landed, scan_landed
from lake.raw_schema import EVENT, EVENT_COLUMNS

_COLUMNS = ("landed_at", "stream_id", "kafka_partition", "kafka_offset", *EVENT_COLUMNS.names)


class RecentEvents:
    """The newest landed events. The table is opened at most once a second, however many ask; threads may share it."""

    def __init__(self, lake: Lake, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._lake = lake
        self._clock = clock
        self._lock = Lock()
        self._table: DeltaTable | None = None
        self._opened_at: float | None = None

    def since(self, instant: datetime) -> pl.LazyFrame:
        """The events that were landed at or after an instant: the event's columns, landed_at and its place.

        Costs what was landed since, and opening the table. Raises LakeAway.
        """
        recent = (pl.col("landed_date") >= instant.date()) & (pl.col("landed_at") >= instant)
        return scan_landed(self._open()).filter(pl.col("kind") == EVENT, recent).select(_COLUMNS)

    def _open(self) -> DeltaTable | None:
        with self._lock:
            now = self._clock()
            if self._opened_at is None or now - self._opened_at >= 1:
                # Never moved: the scans of those who asked before follow it.
                self._table = open_landed(self._lake)
                self._opened_at = now
            return self._table
