"""The report `entry_pages`: which pages visits began with."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.visits import visits_report

ENTRY_PAGES = visits_report(
    "entry_pages",
    "Visits with a page view by their first page, by site and day. People only.",
    by=(Column("entry_page", pl.String(), "path of the first page; empty where that page view names no page"),),
    among=pl.col("pageviews") > 0,
)
