"""Each role starts as in its container: by compose.yaml's command and environment, and is healthy by its own check.

The root file system can't be written, and the user is nobody's; only the folder of the home can be.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from logektor.embedded_kafka import free_port
from sites import register_site
from tests.conftest import RunningKafka
from tests.deploy import containers
from tests.deploy.containers import Container
from tests.scale.server_process import until

pytestmark = [pytest.mark.scale, pytest.mark.kafka]

_USER = "10001"

# It may read what it could not in another user's folder, as its image would be its own.
_LOCKED = f"""
mount --bind "$1" "$1"
mount -t tmpfs -o mode=1777 none /var/tmp
mount -o remount,ro,bind /
cd /
shift
exec setpriv --reuid {_USER} --regid {_USER} --clear-groups --no-new-privs \
    --bounding-set -all,+dac_read_search --inh-caps -all,+dac_read_search --ambient-caps -all,+dac_read_search \
    env -i "$@"
"""


def locked(home: Path, environment: dict[str, str], command: list[str]) -> list[str]:
    """The command, with nothing but this environment and this folder to write to."""
    told = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"} | environment
    words = [f"{name}={value}" for name, value in told.items()]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _LOCKED, "sh", str(home), *words, *command]


@contextmanager
def started(container: Container, home: Path, told: dict[str, str]) -> Iterator[None]:
    """Until it is healthy, and until it has ended by itself after SIGTERM."""
    image = {name: value for name, value in containers.told_by_the_image().items() if name != "LOGEKTOR_HOME"}
    environment = image | dict(container.environment) | told
    log = home.parent / f"{container.name}.txt"
    with log.open("wb") as opened:
        command = locked(home, environment, list(container.command))
        process = subprocess.Popen(command, stdout=opened, stderr=opened)
    try:
        test = containers.services()[container.name]["healthcheck"]["test"]
        check = ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
        for theirs, here in {"/run/logektor": str(home), ":8080": f":{told.get('LOGEKTOR_COLLECTOR_PORT')}"}.items():
            check = [word.replace(theirs, here) for word in check]
        check = [word.replace(":8000", f":{told.get('LOGEKTOR_QUERY_PORT')}") for word in check]
        asked = locked(home, environment, check)

        def healthy() -> bool:
            assert process.poll() is None, log.read_text()
            return subprocess.run(asked, capture_output=True, check=False).returncode == 0

        until(healthy, f"{container.name} is healthy", 90)
        yield
        process.terminate()
        assert process.wait(container.seconds) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_each_role_is_healthy_on_a_file_system_that_cannot_be_written(
    kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if os.geteuid() != 0:
        assert "CI" not in os.environ
        pytest.skip("only root may have a root file system of its own")
    home = tmp_path_factory.mktemp("containers") / "home"
    home.mkdir()
    register_site(home / "sites.toml", "example.com")
    for path in (home, *home.iterdir()):
        shutil.chown(path, int(_USER), int(_USER))
    told = {
        "LOGEKTOR_HOME": str(home),
        "LOGEKTOR_LAKE_URI": str(home / "lake"),
        "LOGEKTOR_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LOGEKTOR_COLLECTOR_PORT": str(free_port()),
        "LOGEKTOR_QUERY_PORT": str(free_port()),
        "LOGEKTOR_LANDING_METRICS_PORT": str(free_port()),
        "LOGEKTOR_COLLECTOR_URL": "https://events.example.com",
    }
    assert subprocess.run(locked(home, {}, ["touch", "/var/written"]), capture_output=True, check=False).returncode == 1
    described = {each.name: each for each in containers.of_compose()}
    with ExitStack() as stack:
        for name in ("collector", "landing", "query"):
            stack.enter_context(started(described[name], home, told))
    assert {"spool", "salts", "read_token", "landing.json", "lake"} <= {path.name for path in home.iterdir()}
