"""A real S3 server, and a lake, topics and workers on it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lake.location import Lake
from tests.conftest import RunningKafka
from tests.landing.conftest import Site, landing_kafka
from tests.object_store.s3_server import BINARY, S3Server, free_port

__all__ = ["landing_kafka"]

Account = Callable[[str, Site], None]


class StoreSite(Site):
    """Topics and workers whose lake is in the store that the environment names."""

    store: Lake

    @property
    def lake(self) -> Lake:
        return self.store


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    if not BINARY.exists():
        pytest.skip("no S3 server: build it with `uv run python -m tests.object_store.s3_server`")
    server = S3Server(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The server that tests share: make a bucket of your own, never kill it."""
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[S3Server]:
    """A server for one test, to kill() and start() again."""
    with running(tmp_path / "s3") as server:
        yield server


def lake_on(server: S3Server, environment: pytest.MonkeyPatch) -> Lake:
    """An empty lake in a bucket of its own. This process and those it starts know the server by their environment."""
    bucket = f"bucket-{uuid.uuid4()}"
    server.make_bucket(bucket)
    for name, value in server.environment.items():
        environment.setenv(name, value)
    lake = Lake(f"s3://{bucket}/lake")
    environment.setenv("LOGEKTOR_LAKE_URI", lake.uri)
    return lake


@pytest.fixture
def lake(shared_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake on the shared server."""
    return lake_on(shared_server, monkeypatch)


def site_on(lake: Lake, kafka: RunningKafka, folder: Path) -> StoreSite:
    site = StoreSite(kafka.bootstrap_servers, folder / "home")
    site.store = lake
    site.home.mkdir()
    site.make_topics_anew()
    return site


@pytest.fixture
def site(lake: Lake, landing_kafka: RunningKafka, tmp_path: Path) -> Iterator[StoreSite]:
    """Topics of its own, and a lake on the shared server."""
    site = site_on(lake, landing_kafka, tmp_path)
    yield site
    site.kill_workers()


@pytest.fixture
def own_site(
    own_server: S3Server, landing_kafka: RunningKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StoreSite]:
    """Topics of its own, and a lake on a server of its own."""
    site = site_on(lake_on(own_server, monkeypatch), landing_kafka, tmp_path)
    yield site
    site.kill_workers()


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account:
    """Asserts that each record is landed once, and puts what was found into the table."""

    def look(name: str, site: Site) -> None:
        try:
            site.assert_each_is_landed_once()
        finally:
            site.count(f"S3: {name}").found(request.config)

    return look
