"""The job that erases a visitor, a user or a site."""

from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from dagster_project.defs.upkeep.jobs import UPKEEP_POOL
from dagster_project.lake_resource import LakeResource
from lake.erasure import Wanted, read_digest_key
from pipelines.refresh.erasure import erase
from pipelines.reports.all_reports import load_reports


class EraseConfig(dg.Config):
    """What is to be erased: a visitor or a user, on one site or on all, or a whole site."""

    visitor: str | None = Field(default=None, description="a visitor's id")
    user: str | None = Field(default=None, description="a signed-in user's id")
    site: str | None = Field(default=None, description="a whole site, or only of it where a visitor or user is named")


@dg.op(pool=UPKEEP_POOL)
def erase_everywhere(context: dg.OpExecutionContext, config: EraseConfig, lake: LakeResource) -> None:
    """Erases from all tables, builds the touched days anew and deletes the files."""
    erased = erase(
        lake.lake,
        Wanted(config.visitor, config.user, config.site),
        digest_key=read_digest_key(lake.removals_key),
        reports=load_reports(),
        sites=lake.sites(),
        now=datetime.now(UTC),
        tell=lambda done, total, what: context.log.info("%d of %d: %s", done, total, what),
    )
    context.add_output_metadata(
        {
            "raw events": erased.landed_events,
            "dead letters": erased.dead_letters,
            "days made anew": len(erased.days),
            "files that must be erased again in an hour": len(erased.unfinished_files),
        }
    )


@dg.job(
    name="erase",
    description=(
        "Erases a visitor, a user or a site from all tables and files; can't be undone. The run's own configuration "
        "names it until the run is deleted, after a week: `logektor erase` leaves no such trace."
    ),
)
def erase_job() -> None:
    """Takes somebody out of everything."""
    erase_everywhere()
