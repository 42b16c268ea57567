import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from logektor.embedded_kafka import Distribution, DownloadFailed, JarChanged, free_port, resolve
from logektor.embedded_kafka.lock import LOCK_FILE, LockedJar, read_lock, write_lock

CONTENTS = {"org/example/small/1.0/small-1.0.jar": b"s" * 100, "org/example/large/2.0/large-2.0.jar": b"l" * 500_000}
JARS = tuple(
    LockedJar("org.example", path.split("/")[2], path.split("/")[3], len(content), hashlib.sha256(content).hexdigest())
    for path, content in CONTENTS.items()
)


class MavenRepository:
    """A repository on loopback that serves `contents`, and of the paths in `cut` only the first half."""

    def __init__(self) -> None:
        self.contents = dict(CONTENTS)
        self.cut: set[str] = set()
        self.jars_asked_for: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        repository = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.removeprefix("/")
                content = repository.contents.get(path)
                if path.endswith(".jar"):
                    repository.jars_asked_for.append(path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if path in repository.cut else content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def repository() -> Iterator[MavenRepository]:
    served = MavenRepository()
    yield served
    served.close()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_download_is_verified_counted_and_not_repeated(repository: MavenRepository, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = resolve(tmp_path, lambda done, total: steps.append((done, total)), jars=JARS, repository=repository.url)
    assert [path.read_bytes() for path in found.jars] == list(CONTENTS.values())
    assert steps == sorted(steps)
    assert steps[-1] == (500_100, 500_100)

    repository.jars_asked_for.clear()
    assert resolve(tmp_path, jars=JARS, repository=repository.url) == found
    assert repository.jars_asked_for == []


def test_a_tampered_jar_is_refused(repository: MavenRepository, tmp_path: Path) -> None:
    tampered = resolve(tmp_path, jars=JARS, repository=repository.url).jars[0]
    tampered.write_bytes(b"S" * 100)
    with pytest.raises(JarChanged, match=r"small-1\.0\.jar .* delete it and start again"):
        resolve(tmp_path, jars=JARS, repository=repository.url)


def test_a_wrong_jar_from_the_repository_never_enters_the_cache(repository: MavenRepository, tmp_path: Path) -> None:
    repository.contents["org/example/small/1.0/small-1.0.jar"] = b"S" * 100
    with pytest.raises(DownloadFailed, match="does not have the locked sha256"):
        resolve(tmp_path, jars=JARS, repository=repository.url)
    assert "small-1.0.jar" not in files(tmp_path)


def test_an_interrupted_download_leaves_nothing_half_written_and_goes_on(
    repository: MavenRepository, tmp_path: Path
) -> None:
    repository.cut.add("org/example/large/2.0/large-2.0.jar")
    with pytest.raises(DownloadFailed, match="the transfer broke off"):
        resolve(tmp_path, jars=JARS[::-1], repository=repository.url)
    assert "large-2.0.jar" not in files(tmp_path)

    repository.cut.clear()
    resolve(tmp_path, jars=JARS, repository=repository.url)
    assert files(tmp_path) == {"small-1.0.jar", "large-2.0.jar"}


def test_a_person_who_stops_the_download_is_obeyed_at_once(repository: MavenRepository, tmp_path: Path) -> None:
    def stop(received_bytes: int, total_bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resolve(tmp_path, stop, jars=JARS, repository=repository.url)
    assert files(tmp_path) == set()


def test_no_network_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed) as caught:
        resolve(tmp_path, jars=JARS, repository=f"http://127.0.0.1:{free_port()}")
    assert "no connection" in str(caught.value)
    assert "check the network and start again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_jar_the_repository_does_not_have_is_named(repository: MavenRepository, tmp_path: Path) -> None:
    del repository.contents["org/example/small/1.0/small-1.0.jar"]
    with pytest.raises(DownloadFailed, match=r"small-1\.0\.jar from http.*: it is not there"):
        resolve(tmp_path, jars=JARS, repository=repository.url)


def test_the_lock_reads_back_as_written_and_names_no_host(tmp_path: Path) -> None:
    copy = tmp_path / "kafka.lock.json"
    write_lock(read_lock(), copy)
    assert copy.read_text() == LOCK_FILE.read_text()
    assert "://" not in LOCK_FILE.read_text()


@pytest.mark.kafka
def test_what_runs_is_what_is_locked(kafka_distribution: Distribution) -> None:
    assert {path.name for path in kafka_distribution.jars} == {jar.filename for jar in read_lock()}
    assert kafka_distribution.java.is_file()
