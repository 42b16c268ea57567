"""The jobs for dead letters."""

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.defs.raw.jobs import count_dead_letters_job, replay_dead_letters_job
from dagster_project.lake_resource import LakeResource
from sites import register_site
from tests.dead_letters.stream import Stream


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    stream = Stream(tmp_path)
    register_site(tmp_path / "sites.toml", "shop.example")
    stream.reject(b'{"action":"secret","objectId":true}', detail="a secret of somebody")
    stream.send(b"a secret record")
    stream.land()
    return stream


def lake(stream: Stream, folder: Path) -> LakeResource:
    return LakeResource(uri=stream.lake.uri, sites_file=str(folder / "sites.toml"))


def test_dead_letters_are_observed_in_numbers_and_never_in_words(stream: Stream, tmp_path: Path) -> None:
    run = count_dead_letters_job.execute_in_process(resources={"lake": lake(stream, tmp_path)})
    (observation,) = run.get_asset_observation_events()
    metadata = observation.asset_observation_data.asset_observation.metadata
    assert (metadata["letters"].value, metadata["replayed"].value) == (2, 0)
    table = metadata["by reason"]
    assert isinstance(table, dg.TableMetadataValue)
    assert {record.data["reason"]: record.data["letters"] for record in table.records} == {
        "invalid": 1,
        "undecodable": 1,
    }
    assert "secret" not in str(metadata)


def test_a_replay_says_what_it_did_and_never_what_was_in_it(
    stream: Stream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = replay_dead_letters_job.execute_in_process(
        resources={"lake": lake(stream, tmp_path)},
        run_config={"ops": {"send_again": {"config": {"reason": "invalid"}}}},
    )
    (said,) = [event for event in run.all_events if event.event_type == dg.DagsterEventType.STEP_OUTPUT]
    metadata = said.step_output_data.metadata
    assert (metadata["sent"].value, metadata["still invalid"].value) == (0, {"invalid": 1})
    assert "secret" not in caplog.text


def test_a_replay_that_cannot_be_done_fails_with_its_sentence(stream: Stream, tmp_path: Path) -> None:
    run = replay_dead_letters_job.execute_in_process(
        resources={"lake": lake(stream, tmp_path)},
        run_config={"ops": {"send_again": {"config": {"reason": "invalid", "first_day": "yesterday"}}}},
        raise_on_error=False,
    )
    assert not run.success
    (failure,) = [event for event in run.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    assert "yesterday" in str(failure.step_failure_data.user_failure_data)
