"""Jobs for dead letters: how many there are of each reason, and sending them again after a fix."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
from pydantic import Field

from dagster_project.lake_resource import LakeResource
from lake.dead_letters import Selection, summarise


class ReplayConfig(dg.Config):
    """Which dead letters are sent again."""

    reason: str = Field(description="of this reason, such as invalid")
    site: str | None = Field(default=None, description="only of this site")
    first_day: str | None = Field(default=None, description="only landed on this day (UTC, YYYY-MM-DD) or later")
    last_day: str | None = Field(default=None, description="only landed on this day (UTC, YYYY-MM-DD) or earlier")


@dg.op
def count_by_reason(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Observes dead_letters in numbers. Never a body or a detail: it would outlive an erasure in the run history."""
    summaries = summarise(lake.lake, Selection())
    table = [
        dg.TableRecord(
            {
                "reason": each.reason,
                "letters": each.letters,
                "replayed": each.replayed,
                "sites": len(each.sites),
                "first landed": each.first_landed_at.isoformat(),
                "last landed": each.last_landed_at.isoformat(),
            }
        )
        for each in summaries
    ]
    columns = [
        dg.TableColumn(name, "int" if name in {"letters", "replayed", "sites"} else "string")
        for name in ("reason", "letters", "replayed", "sites", "first landed", "last landed")
    ]
    context.log_event(
        dg.AssetObservation(
            "dead_letters",
            metadata={
                "letters": sum(each.letters for each in summaries),
                "replayed": sum(each.replayed for each in summaries),
                "by reason": dg.MetadataValue.table(table, dg.TableSchema(columns)),
            },
        )
    )


@dg.op
def send_again(context: dg.OpExecutionContext, config: ReplayConfig, lake: LakeResource) -> None:
    """Runs the command `logektor replay`: it needs the collector's rules, which nothing here may import."""
    options = {"reason": config.reason, "site": config.site, "from": config.first_day, "to": config.last_day}
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    home = Path(lake.sites_file).parent
    done = subprocess.run(
        [sys.executable, "-m", "logektor", "replay", "--yes", "--json", f"--home={home}", *given],
        env={**os.environ, "LOGEKTOR_LAKE_URI": lake.uri},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise dg.Failure(done.stderr.strip() or f"`logektor replay` ended with exit code {done.returncode}.")
    outcome = json.loads(done.stdout)
    context.log.info(
        "%d dead letters were sent again; still invalid: %s", outcome["sent"], outcome["still_invalid"] or "none"
    )
    context.add_output_metadata({"sent": outcome["sent"], "still invalid": outcome["still_invalid"]})


@dg.job(
    name="count_dead_letters",
    description="Counts the dead letters of each reason; the result stands at the asset dead_letters.",
)
def count_dead_letters_job() -> None:
    """How much was refused or unreadable, and why."""
    count_by_reason()


@dg.job(
    name="replay_dead_letters",
    description="Sends the dead letters of a reason that are valid by now to the stream again, each once. "
    "The rest stays. Running it again sends nothing twice.",
)
def replay_dead_letters_job() -> None:
    """To be run after the fix."""
    send_again()
