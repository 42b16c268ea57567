"""The report `locations`: which countries visits came from."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.visits import visits_report

LOCATIONS = visits_report(
    "locations",
    "Visits by country, by site and day. People only.",
    by=(Column("country", pl.String(), "the country; empty = unknown", "ISO 3166-1 alpha-2"),),
)
