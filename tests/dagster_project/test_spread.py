"""A backfill is one run, or some days a run where workers share it; windows come once, after all days."""

from collections.abc import Iterator

import dagster as dg
import pytest

from dagster_project.definitions import defs
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.window import DAY

WINDOWED = {report.name for report in REPORTS if report.window != DAY}


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.Definitions]:
    monkeypatch.setenv("LOGEKTOR_BACKFILL_DAYS", "3")
    yield defs()


def policies(definitions: dg.Definitions) -> dict[str, dg.BackfillPolicy | None]:
    graph = definitions.resolve_asset_graph()
    return {name: graph.get(dg.AssetKey(name)).backfill_policy for name in (EVENTS.name, *(r.name for r in REPORTS))}


def test_on_one_machine_a_backfill_is_one_run() -> None:
    assert set(policies(defs()).values()) == {dg.BackfillPolicy.single_run()}


def test_tables_of_days_are_cut_into_runs_of_some_days(spread: dg.Definitions) -> None:
    found = policies(spread)
    assert {name for name, policy in found.items() if policy == dg.BackfillPolicy.multi_run(3)} == (
        found.keys() - WINDOWED
    )
    assert {found[name] for name in WINDOWED} == {dg.BackfillPolicy.single_run()}


def test_windows_wait_for_all_days_of_their_inputs(spread: dg.Definitions) -> None:
    graph = spread.resolve_asset_graph()
    for report in REPORTS:
        key = dg.AssetKey(report.name)
        for table in report.tables:
            mapping = graph.get_partition_mapping(key, parent_asset_key=dg.AssetKey(table))
            assert isinstance(mapping, dg.AllPartitionMapping) == (report.name in WINDOWED), (report.name, table)
