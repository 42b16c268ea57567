"""The report `actions`: who did what to what, by kind."""

import polars as pl

from lake.table_spec import Column, TableSpec
from pipelines.reports.people import distinct, of_people
from pipelines.reports.report import Report, shaped


def build(events: pl.LazyFrame) -> pl.LazyFrame:
    """One row per site, day, object_type, action and subject_type of what people did, page views among it."""
    counted = (
        of_people(events)
        .group_by("site", "object_type", "action", pl.col("subject_type").fill_null(""), date="event_date")
        .agg(
            pl.len().alias("events"),
            visitors=distinct("visitor_id"),
            objects=distinct("object_id"),
            subjects=distinct("subject_id"),
        )
    )
    return shaped(counted, ACTIONS.spec)


ACTIONS = Report(
    spec=TableSpec(
        name="actions",
        description="Who did what to what, by site and day: each object type, action and subject type. People only.",
        key=("site", "date", "object_type", "action", "subject_type"),
        columns=(
            Column("site", pl.String(), "the domain of the site"),
            Column("date", pl.Date(), "the day, in the site's time zone"),
            Column("object_type", pl.String(), "who did it: the kind, such as user or visitor"),
            Column("action", pl.String(), "what was done, such as pageview"),
            Column(
                "subject_type", pl.String(), "what it was done to: the kind, such as article; empty where there is none"
            ),
            Column("events", pl.Int64(), "how often it was done", additive=True),
            Column("visitors", pl.Int64(), "distinct visitors who did it"),
            Column("objects", pl.Int64(), "distinct objects (who) that did it"),
            Column("subjects", pl.Int64(), "distinct subjects (what) it was done to"),
        ),
    ),
    inputs=("events",),
    build=build,
)
