"""The report `sources`: where the visits of each day came from."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.visits import visits_report

SOURCES = visits_report(
    "sources",
    "Visits by the source and channel they came from, by site and day. People only.",
    by=(
        Column("source", pl.String(), "a campaign's utm_source or ref, else who referred; Direct / None"),
        Column("channel", pl.String(), "the kind of source, such as Organic Search, Referral or Direct"),
    ),
)
