"""The project in words, so that a change of it is seen: `uv run python -m tests.dagster_project.snapshot` writes it."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from dagster_project.definitions import defs

FILE = Path(__file__).with_name("project.txt")


def snapshot(definitions: dg.Definitions) -> str:
    """Assets with their checks, jobs, schedules and sensors, and which of these run by themselves."""
    sections = (_assets(definitions), _jobs(definitions), _schedules(definitions), _sensors(definitions))
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _assets(definitions: dg.Definitions) -> Iterator[str]:
    graph = definitions.resolve_asset_graph()
    yield "ASSETS: group / asset <- what it is made of"
    for key in sorted(graph.get_all_asset_keys(), key=lambda key: (graph.get(key).group_name, key.to_user_string())):
        node = graph.get(key)
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
        yield f"{node.group_name} / {key.to_user_string()}" + (f" <- {parents}" if parents else "")
        for check in sorted(node.check_keys, key=lambda check: check.name):
            yield f"    check {check.name}" + (" (blocks)" if graph.get(check).blocking else "")


def _jobs(definitions: dg.Definitions) -> Iterator[str]:
    yield "JOBS"
    yield from sorted(name for name in definitions.get_repository_def().job_names if not name.startswith("__"))


def _schedules(definitions: dg.Definitions) -> Iterator[str]:
    yield "SCHEDULES: when, UTC"
    for schedule in sorted(definitions.get_repository_def().schedule_defs, key=lambda one: one.name):
        yield f"{schedule.name}: {schedule.cron_schedule}, {schedule.default_status.value.lower()}"


def _sensors(definitions: dg.Definitions) -> Iterator[str]:
    yield "SENSORS: how often"
    for sensor in sorted(definitions.get_repository_def().sensor_defs, key=lambda one: one.name):
        seconds = sensor.minimum_interval_seconds
        yield f"{sensor.name}: every {seconds} s, {sensor.default_status.value.lower()}"


if __name__ == "__main__":
    FILE.write_text(snapshot(defs()), encoding="utf-8")
