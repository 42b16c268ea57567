"""What a report is: a table's description and the plain function that builds its rows."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lake.table_spec import TableSpec
from pipelines.reports.window import DAY, Window

SITE_GOALS = "site_goals"
"""The input that holds the goals of all sites, as sites.toml declares them: site, goal, action or page, properties.

The other one of action and page is null; properties is a JSON object of texts.
"""

SITE_FUNNELS = "site_funnels"
"""The input that holds the funnels of all sites: site, funnel, step (1, 2, …), goal, window_days."""

RAW_EVENTS = "raw_events"
DEAD_LETTERS = "dead_letters"
LANDED = (RAW_EVENTS, DEAD_LETTERS)
"""Inputs of what was landed, by day of landing: all dead letters, and the raw events that `events` has taken in."""

SETTINGS = (SITE_GOALS, SITE_FUNNELS)
"""Inputs that are no tables: what sites.toml says now. A change of it makes all days of the report anew."""


@dataclass(frozen=True)
class Report:
    """A table that is built from other tables, day by day or by weeks or months.

    `build` takes one LazyFrame per name in `inputs` (`events`, other reports' tables, SETTINGS), in that order, and
    answers rows with the columns of `spec`, in any order of rows. It gets the rows of whole days: all of the window of
    each partition that is asked for, and maybe more. So what it says of a partition must follow from the rows of its
    window alone. A window of days of landing has `events` and LANDED as inputs. No I/O.

    `by_visitor`: its rows are of one visitor each, or of one event without visitor, and follow from that one's rows in
    the inputs alone. A large day is then built some visitors at a time.
    """

    spec: TableSpec
    inputs: tuple[str, ...]
    build: Callable[..., pl.LazyFrame]
    window: Window = DAY
    by_visitor: bool = False

    @property
    def name(self) -> str:
        """The name of the report and of its table."""
        return self.spec.name

    @property
    def tables(self) -> tuple[str, ...]:
        """The inputs that are tables."""
        return tuple(name for name in self.inputs if name not in SETTINGS)


def shaped(rows: pl.LazyFrame, spec: TableSpec) -> pl.LazyFrame:
    """Rows with exactly the columns of a table, in its order and types. A value that does not fit raises."""
    return rows.select(pl.col(name).cast(dtype) for name, dtype in spec.schema.items())
