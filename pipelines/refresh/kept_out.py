"""Which landed rows of some days don't count, since another row of the same event does."""

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from pipelines.refresh.landed_rows import bounds, day_of, happened_on, thin
from pipelines.reports.duplicates import PLACE, WINDOW, first_of_each

_MARK = (pl.col("event_id").hash() ^ pl.col("site").hash(1)).alias("mark")
"""Eight bytes for an event. Rows of another event may have the same, rows of the same event always do."""


def kept_out(landed: pl.LazyFrame, days: Collection[date], time_zones: Mapping[str, str]) -> pl.DataFrame:
    """The places of the landed rows of these days that don't count.

    Holds 8 bytes for each row of the days, and whole keys only of those that may have a duplicate. Costs a look at the
    marks of these days and of all that was received in the window before their last row. `landed`: all that may count.
    """
    here = day_of(time_zones).is_in(sorted(days))
    of_days = landed.filter(happened_on(days, time_zones), here)
    marks = of_days.select(_MARK).collect(engine="streaming")["mark"].sort()
    repeated = marks.filter(marks == marks.shift())
    elsewhere = _elsewhere(landed, days, time_zones, marks)
    # A row of another day may itself be kept out, by rows of any day.
    candidates = of_days if elsewhere.is_empty() else landed
    suspects = pl.concat([repeated, elsewhere]).unique().to_frame()
    rows = thin(candidates.with_columns(_MARK).join(suspects.lazy(), on="mark", how="semi"), time_zones)
    found = rows.collect(engine="streaming")
    on_days = found.filter(pl.col("event_date").is_in(sorted(days)))
    return on_days.join(first_of_each(found), on=PLACE, how="anti").select(PLACE)


def _elsewhere(
    landed: pl.LazyFrame, days: Collection[date], time_zones: Mapping[str, str], marks: pl.Series
) -> pl.Series:
    """Those marks that a row of another day has, too, which was received early enough to keep out a row of these."""
    here = day_of(time_zones).is_in(sorted(days))
    received = pl.col("received_at")
    of_days = landed.filter(happened_on(days, time_zones), here)
    first, last = of_days.select(first=received.min(), last=received.max()).collect(engine="streaming").row(0)
    if first is None:
        return marks.clear()
    near = landed.filter(received.is_between(first - WINDOW, last))
    begin, end = bounds(days, time_zones)
    # As three scans: each opens only the files that it needs.
    others = [
        near.filter(pl.col("occurred_at") < begin),
        near.filter(pl.col("occurred_at") >= end),
        near.filter(happened_on(days, time_zones), ~here),
    ]
    found = pl.concat(others).select(_MARK).join(marks.to_frame().lazy(), on="mark", how="semi")
    return found.collect(engine="streaming")["mark"]
