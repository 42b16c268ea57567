"""The job that erases a visitor, a user or a site."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import Field

from dagster_project.defs.upkeep.jobs import UPKEEP_POOL
from dagster_project.erasure_request import read_request
from dagster_project.lake_resource import LakeResource
from lake import erasure_lock
from lake.erasure import read_digest_key
from pipelines.refresh.erasure import erase
from pipelines.reports.all_reports import load_reports


class EraseConfig(dg.Config):
    """Where it stands who is to be erased. Never who: the history keeps a run's configuration for days."""

    request: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description='name of a file in <home>/erasures with JSON such as {"visitor": "…"}, {"user": "…"} or '
        '{"site": "…"}; with a site besides, only what is of that site. It is deleted when all is erased',
    )


@dg.op(pool=UPKEEP_POOL)
def erase_everywhere(context: dg.OpExecutionContext, config: EraseConfig, lake: LakeResource) -> None:
    """Erases from all tables, builds the touched days anew and deletes the files; then the request."""
    request = lake.erasures / config.request
    wanted = read_request(request)
    lock = Path(lake.sites_file).with_name(erasure_lock.NAME)
    with erasure_lock.erasing(lock, lambda: context.log.info("Waiting for the end of a replay or erasure")):
        erased = erase(
            lake.lake,
            wanted,
            digest_key=read_digest_key(lake.removals_key),
            reports=load_reports(),
            sites=lake.sites(),
            now=datetime.now(UTC),
            tell=lambda done, total, what: context.log.info("%d of %d: %s", done, total, what),
        )
    if erased.unfinished_files:
        context.log.warning("Files of writes that failed may name it, and are young: run this again in an hour.")
    else:
        request.unlink()
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
        "Erases a visitor, a user or a site from all tables and files; can't be undone. Who that is stands in a file "
        "of the home, which its configuration names, so that no id is in the run history."
    ),
)
def erase_job() -> None:
    """Takes somebody out of everything."""
    erase_everywhere()
