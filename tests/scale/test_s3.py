"""The same with the lake in an object store: collectors, workers, query APIs and a refresh, one of each killed."""

import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import RunningKafka
from tests.object_store.conftest import lake_on, shared_server
from tests.object_store.s3_server import S3Server
from tests.scale.conftest import Account, accepted_more, landed, load, read_more, running
from tests.scale.deployment import READY_SECONDS, Deployment
from tests.scale.server_process import until

__all__ = ["shared_server"]

pytestmark = [pytest.mark.scale, pytest.mark.s3, pytest.mark.kafka]


@pytest.fixture
def deployment(
    own_kafka: RunningKafka,
    shared_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    # Every process, this one too, finds the store by its environment.
    lake = lake_on(shared_server, monkeypatch)
    folder = tmp_path_factory.mktemp("deployment")
    few = Deployment(folder, own_kafka.bootstrap_servers, 2, 2, 2, refreshers=1, lake_uri=lake.uri)
    with running(few) as deployment:
        yield deployment


def test_one_process_of_each_kind_is_killed(deployment: Deployment, account: Account) -> None:
    with load(deployment, f"s3-{uuid.uuid4()}") as (writers, readers):
        for role in ("collector", "query_api", "worker", "refresher"):
            accepted_more(writers)
            deployment.kill(role)
            accepted_more(writers)
            read_more(readers)
            deployment.restart(role)
        before = landed(deployment.lake)
        until(lambda: landed(deployment.lake) > before, "the workers land", READY_SECONDS)
    account("S3: one of each killed, started again", deployment, writers, readers)
