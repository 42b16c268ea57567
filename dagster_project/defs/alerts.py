"""The sensor that tells a webhook what is wrong, once, and once that it is well again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from json import dumps, loads

import dagster as dg
from pydantic import SecretStr

from dagster_project.lake_resource import LakeResource
from dagster_project.problems import Problems, check_problems, freshness_problems, run_problems
from dagster_project.settings import DagsterSettings
from dagster_project.webhook import post

LOOK_SECONDS = 60


@dataclass(frozen=True)
class Told:
    """What the webhook was told: the problems that are open, and until when (ISO 8601) runs were looked at."""

    runs_until: str
    problems: Problems = field(default_factory=dict)


def news(told: Problems, now: Problems) -> Mapping[str, object] | None:
    """What is to be said where these problems were told and those are there now; None where nothing has changed."""
    new = [{"problem": key, "text": text} for key, text in now.items() if key not in told]
    solved = [{"problem": key, "text": text} for key, text in told.items() if key not in now]
    if not new and not solved:
        return None
    lines = [*(one["text"] for one in new), *(f"Well again: {one['text']}" for one in solved)]
    return {"text": "\n".join(lines), "new": new, "solved": solved, "open": len(now)}


@dg.definitions
def alerts() -> dg.Definitions:
    """The sensor, which is on where a webhook is set."""
    return dg.Definitions(sensors=[alerts_sensor(DagsterSettings().alert_webhook)])


def alerts_sensor(webhook: SecretStr | None) -> dg.SensorDefinition:
    """Looks for problems each minute. A webhook that does not take what it is told is told again a minute later."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED if webhook is None else dg.DefaultSensorStatus.RUNNING,
        description="Tells LOGEKTOR_ALERT_WEBHOOK when a run or a check fails or tables are not fresh: once, and once "
        "when it is over. On where that is set.",
    )
    def sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
        if webhook is None:
            return dg.SkipReason("LOGEKTOR_ALERT_WEBHOOK is not set.")
        now = datetime.now(UTC)
        # What failed before somebody wanted to be told is no news.
        told = Told(**loads(context.cursor)) if context.cursor else Told(now.isoformat())
        problems, runs_until = _look(context, lake, told, now)
        said = news(told.problems, problems)
        if said is not None and (refusal := post(webhook, said)) is not None:
            raise dg.Failure(f"The alert webhook was not told: {refusal}. It is told again in a minute.")
        context.update_cursor(dumps(asdict(Told(runs_until.isoformat(), problems))))
        return dg.SkipReason(f"{len(problems)} problems" + (", told now." if said else "."))

    return sensor


def _look(
    context: dg.SensorEvaluationContext, lake: LakeResource, told: Told, now: datetime
) -> tuple[Problems, datetime]:
    repository = context.repository_def
    if repository is None:
        raise dg.DagsterInvariantViolationError("A sensor is evaluated as a part of the project.")
    graph, instance = repository.asset_graph, context.instance
    of_runs, runs_until = run_problems(
        instance, told.problems, datetime.fromisoformat(told.runs_until), repository.job_names
    )
    of_checks = check_problems(instance, told.problems, graph.asset_check_keys)
    of_freshness = freshness_problems(instance, lake.lake, graph.materializable_asset_keys, now)
    return {**of_runs, **of_checks, **of_freshness}, runs_until
