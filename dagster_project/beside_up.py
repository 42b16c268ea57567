"""Says so where Dagster is started beside a running `logektor up` on the same home."""

import fcntl
import json
import logging
from pathlib import Path

from dagster_project.settings import DagsterSettings

_log = logging.getLogger(__name__)


def warn_beside_up(settings: DagsterSettings) -> None:
    """One sentence in the log, unless this process is a part of that `up`."""
    if settings.up_pid is None and _is_running(settings.home):
        _log.warning(
            "`logektor up` runs on %s, with Dagster on %s: this one works on the same tables beside it, which is safe, "
            "but doubles the work.",
            settings.home,
            _dagster_url(settings.home),
        )


def _is_running(home: Path) -> bool:
    """Whether an `up` holds the home's lock."""
    try:
        with (home / "up.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _dagster_url(home: Path) -> str:
    try:
        return str(json.loads((home / "up.json").read_text(encoding="utf-8"))["urls"]["dagster"])
    except (OSError, ValueError, KeyError):
        return "a port that up.json does not tell"
