"""The report `devices`: what visitors came with."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.visits import visits_report

DEVICES = visits_report(
    "devices",
    "Visits by device, browser and operating system, by site and day. People only.",
    by=(
        Column("device", pl.String(), "Desktop, Mobile or Tablet; empty = unknown"),
        Column("browser", pl.String(), "family of the browser; empty = unknown"),
        Column("os", pl.String(), "family of the operating system; empty = unknown"),
    ),
)
