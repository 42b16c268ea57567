"""Lands events as the worker does, without a broker."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa

from lake.errors import LandingConflict
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw_schema import LANDED
from tests.reports.rows import raw

STREAM = "cluster/topic"


class Landing:
    """Appends to `landed`, each row at the next offset of its stream partition."""

    def __init__(self, lake: Lake) -> None:
        self._table = DeltaLandingTable(lake)
        self._next: Counter[int] = Counter()

    def land(self, *rows: Mapping[str, Any]) -> None:
        """One commit of rows as in tests.reports.rows.raw; `kafka_partition` says where, `kind` what."""
        first = Counter(self._next)
        placed = []
        for row in rows:
            partition = row.get("kafka_partition", 0)
            placed.append({"event_id": f"{partition}-{self._next[partition]}", **row,
                           "kafka_offset": self._next[partition]})  # fmt: skip
            self._next[partition] += 1
        table = raw(*placed).collect().to_arrow().cast(LANDED)
        used = {row.get("kafka_partition", 0) for row in rows}
        for _ in range(100):
            # As the worker: a conflict is met with a fresh look at the table.
            with suppress(LandingConflict):
                return self._table.append(
                    table,
                    pa.Table.from_pylist([], schema=LANDED),
                    {(STREAM, partition): first[partition] for partition in used},
                    {(STREAM, partition): self._next[partition] for partition in used},
                )
        raise AssertionError("nothing but conflicts")
