"""What assets, checks and sensors are given; the environment is read here and where retention is scheduled."""

import dagster as dg

from dagster_project.beside_up import warn_beside_up
from dagster_project.lake_resource import LakeResource
from dagster_project.settings import DagsterSettings


@dg.definitions
def resources() -> dg.Definitions:
    """The lake of the home, and runs of one process each: tables are built one after the other anyway."""
    settings = DagsterSettings()
    warn_beside_up(settings)
    lake = LakeResource(uri=settings.lake, sites_file=str(settings.sites_file), query_url=settings.query_url)
    return dg.Definitions(resources={"lake": lake}, executor=dg.in_process_executor)
