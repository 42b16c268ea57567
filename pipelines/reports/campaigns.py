"""The report `campaigns`: visits that came by addresses with campaign parameters."""

import polars as pl

from lake.table_spec import Column
from pipelines.reports.clean_events import CAMPAIGN_PARAMETERS
from pipelines.reports.visits import visits_report

CAMPAIGNS = visits_report(
    "campaigns",
    "Visits whose first event's address has a campaign parameter, by site and day. People only.",
    by=(
        Column("utm_campaign", pl.String(), "the campaign; empty where it is not said"),
        Column("source", pl.String(), "the source, by its name where it is a known one"),
        Column("utm_medium", pl.String(), "the medium as sent; empty where it is not said"),
        Column("utm_term", pl.String(), "the term that was paid for; empty where it is not said"),
        Column("utm_content", pl.String(), "which of several links or texts; empty where it is not said"),
    ),
    among=pl.any_horizontal(pl.col(CAMPAIGN_PARAMETERS).is_not_null()),
)
