"""A home with a lake, the project's definitions on it, and what the daemon does, in this process."""

from pathlib import Path

import dagster as dg

from dagster_project.definitions import defs
from dagster_project.defs.reports.sensors import REFRESHED, refresh
from dagster_project.lake_resource import LakeResource
from lake.location import Lake
from tests.refresh.landing import Landing

QUERY_URL = "http://query.example"


class Home:
    """One folder, with the lake in it unless that is elsewhere; `instance` remembers runs and partitions."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, lake: Lake | None = None) -> None:
        self.folder = folder
        self.instance = instance
        self.lake = lake or Lake(str(folder / "lake"))
        self.landing = Landing(self.lake)
        self.resource = LakeResource(uri=self.lake.uri, sites_file=str(folder / "sites.toml"), query_url=QUERY_URL)
        self.definitions = dg.Definitions.merge(
            dg.Definitions(assets=list(defs().assets or []), asset_checks=list(defs().asset_checks or [])),
            dg.Definitions(
                jobs=[dg.define_asset_job("refresh", REFRESHED)],
                resources={"lake": self.resource},
                executor=dg.in_process_executor,
            ),
        )

    def look(self) -> dg.SensorResult | dg.SkipReason:
        """What the sensor says now; days that it adds are added."""
        context = dg.build_sensor_context(self.instance, resources={"lake": self.resource})
        said = refresh(context)
        assert isinstance(said, dg.SensorResult | dg.SkipReason)
        for request in getattr(said, "dynamic_partitions_requests", None) or ():
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return said

    def run(self, request: dg.RunRequest, *tables: str, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
        """Runs what the sensor asked for: all tables, or those that are named."""
        job = self.definitions.resolve_job_def("refresh")
        return job.execute_in_process(
            instance=self.instance,
            run_config=request.run_config,
            tags={**request.tags, "dagster/sensor_name": "refresh"},
            asset_selection=[dg.AssetKey(table) for table in tables] or None,
            raise_on_error=raise_on_error,
        )
