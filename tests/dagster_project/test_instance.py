"""Dagster's settings on a home."""

from pathlib import Path

import dagster as dg

from dagster_project.instance import write_instance
from dagster_project.run_launcher import WatchedRunLauncher


def test_everything_stays_in_the_home_and_nothing_is_told_to_others(tmp_path: Path) -> None:
    written = write_instance(tmp_path / "a home")
    assert written == tmp_path / "a home" / "dagster" / "dagster.yaml"
    with dg.DagsterInstance.from_config(str(written.parent)) as instance:
        assert not instance.telemetry_enabled
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
        assert instance.run_monitoring_enabled
    assert [path.name for path in (tmp_path / "a home").iterdir()] == ["dagster"]


def test_settings_are_written_again_for_a_home_that_was_moved(tmp_path: Path) -> None:
    write_instance(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    assert "before" not in write_instance(tmp_path / "after").read_text()
