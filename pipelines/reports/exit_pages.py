"""The report `exit_pages`: which pages visits ended with."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.visits import visits_report

EXIT_PAGES = visits_report(
    "exit_pages",
    "Visits with a page view by their last page, by site and day. People only.",
    by=(Column("exit_page", pl.String(), "path of the last page; empty where that page view names no page"),),
    among=pl.col("pageviews") > 0,
)
