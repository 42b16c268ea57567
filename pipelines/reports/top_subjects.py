"""The report `top_subjects`: what was done most often, and to which subject."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import distinct, of_people
from pipelines.reports.report import Report, shaped
from pipelines.reports.visits import SITE_AND_DATE

MOST = 1_000
"""Rows of a site and day at most, beside the row of the rest: a site may send an id of its own with each event."""

_SUBJECT = ("site", "date", "subject_type", "subject_id", "action")


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """A row for each of the MOST subjects and actions of a site and day with most events, and one for all others.

    Of those with equally many events all are in or none is: so what is in follows from the counts alone.
    """
    # Ids that are all different would fill the memory: a number stands for them until they are few.
    number = pl.struct("subject_type", "subject_id", "action").hash()
    of_subjects = (
        of_people(events)
        .filter(pl.col("subject_id").is_not_null())
        .select("site", "subject_id", "action", "visitor_id", pl.col("subject_type").fill_null(""), date="event_date")
        .with_columns(_number=number)
    )
    rank = pl.col("events").rank("max", descending=True).over("site", "date")
    ranked = of_subjects.group_by("site", "date", "_number").agg(events=pl.len()).with_columns(_is_listed=rank <= MOST)
    listed = (
        of_subjects.join(ranked.filter("_is_listed"), on=("site", "date", "_number"), how="semi")
        .group_by(_SUBJECT)
        .agg(events=pl.len(), visitors=distinct("visitor_id"))
    )
    others = ranked.filter(~pl.col("_is_listed")).group_by("site", "date").agg(pl.col("events").sum())
    nothing = pl.lit("")
    of_others = others.with_columns(
        subject_type=nothing, subject_id=nothing, action=nothing, visitors=pl.lit(None, pl.Int64())
    )
    return pl.concat([shaped(rows, TOP_SUBJECTS.spec) for rows in (listed, of_others)])


TOP_SUBJECTS = Report(
    spec=TableSpec(
        name="top_subjects",
        description="What was done to which subject: the 1,000 subjects and actions of each site and day with most "
        "events (fewer where that many tie for the last place), and all others together. People only.",
        key=_SUBJECT,
        columns=(
            *SITE_AND_DATE,
            Column("subject_type", pl.String(), "the kind of subject, such as article; empty where there is none"),
            Column("subject_id", pl.String(), "which one; empty in the row of all others"),
            Column("action", pl.String(), "what was done, such as view; empty in the row of all others"),
            Column("events", pl.Int64(), "how often it was done", additive=True),
            Column("visitors", pl.Int64(), "distinct visitors who did it; null in the row of all others"),
        ),
    ),
    inputs=("events",),
    build=build,
)
