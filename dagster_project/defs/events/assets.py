"""The clean events: what was landed, each event once."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from dagster_project.lake_resource import LakeResource
from dagster_project.settings import DagsterSettings
from dagster_project.spread import spread_of_days
from dagster_project.table_asset import table_asset
from lake.table_version import open_version
from pipelines.refresh.events import rebuild, take_in
from pipelines.refresh.events_definition import outdated_days
from pipelines.reports.clean_events import EVENTS


def build_events(lake: LakeResource, days: Sequence[date], anew: bool) -> Mapping[str, int]:
    """Takes in all that was landed, of whatever day; then makes asked days anew, or only those that are outdated."""
    time_zones = lake.time_zones()
    taken = take_in(lake.lake, time_zones)
    outdated = set() if anew else outdated_days(lake.lake, open_version(lake.lake, EVENTS), time_zones)
    rebuild(lake.lake, days if anew else outdated & set(days), time_zones)
    return {
        "landed events taken in": taken.landed,
        "duplicates among them": taken.duplicates,
        "days touched by them": len(taken.days),
    }


@dg.definitions
def events() -> dg.Definitions:
    """The asset `events`."""
    spread = spread_of_days(DagsterSettings().backfill_days)
    return dg.Definitions(
        assets=[table_asset(EVENTS, group="clean", deps=["raw_events"], build=build_events, spread=spread)]
    )
