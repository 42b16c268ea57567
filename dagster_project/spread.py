"""How a backfill is cut into runs: on one machine it is one run, where workers share it a run builds some days."""

from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class Spread:
    """How many days a run builds, and which days of its inputs a table waits for before any of its own is built."""

    policy: dg.BackfillPolicy
    mapping: dg.PartitionMapping | None = None


_ONE_RUN = Spread(dg.BackfillPolicy.single_run())
"""Without a policy a backfill of a year would be 365 runs."""


def spread_of_days(days_per_run: int | None) -> Spread:
    """Of a table whose days follow from the same days of its inputs; with None all are built by one run."""
    return _ONE_RUN if days_per_run is None else Spread(dg.BackfillPolicy.multi_run(days_per_run))


def spread_of_windows(days_per_run: int | None) -> Spread:
    """Of a table whose partitions are made of many days: one run after all days of its inputs.

    Cut into runs of some days, each would build the same weeks and the same months of funnels again.
    """
    return _ONE_RUN if days_per_run is None else Spread(dg.BackfillPolicy.single_run(), dg.AllPartitionMapping())
