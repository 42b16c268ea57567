"""The report `languages`: which languages visitors' browsers ask for."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.visits import visits_report

LANGUAGES = visits_report(
    "languages",
    "Visits by the language of the browser, by site and day. People only.",
    by=(Column("language", pl.String(), "the language; empty = unknown", "BCP 47"),),
)
