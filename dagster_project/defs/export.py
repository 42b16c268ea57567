"""The job that writes days of a table as plain Parquet files."""

from datetime import date
from pathlib import Path

import dagster as dg
from pydantic import Field

from dagster_project.lake_resource import LakeResource
from dagster_project.lake_retry import retried
from lake.export import export_days
from pipelines.reports.all_tables import all_tables


class ExportConfig(dg.Config):
    """What is exported, and where to."""

    table: str = Field(description="events, sessions or a report, such as pages")
    first_day: str = Field(description="the first day, YYYY-MM-DD, in the site's time zone")
    last_day: str = Field(description="the last day, YYYY-MM-DD, inclusive")
    folder: str | None = Field(default=None, description="where to; else exports in the home")


@dg.op
def write_parquet(context: dg.OpExecutionContext, config: ExportConfig, lake: LakeResource) -> None:
    """One file a day."""
    tables = all_tables()
    if config.table not in tables:
        raise dg.Failure(f"There is no table {config.table!r}: choose one of {', '.join(tables)}.")
    folder = Path(config.folder) if config.folder else Path(lake.sites_file).parent / "exports"
    first, last = date.fromisoformat(config.first_day), date.fromisoformat(config.last_day)
    with retried():
        files = export_days(lake.lake, tables[config.table], first, last, folder)
    context.add_output_metadata(
        {"files": len(files), "folder": dg.MetadataValue.path(folder / config.table)},
    )


@dg.job(
    name="export",
    description="Writes days of a table as plain Parquet files, one a day, as `logektor export` does. They are yours: "
    "a later erasure does not reach them.",
)
def export_job() -> None:
    """For whoever is to have a copy."""
    write_parquet()
