"""The worker's sign of life for `logektor status`: a small file, replaced in one step."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)


class Heartbeat:
    """Writes when the worker last went round its loop, what it has landed since it started and what waits.

    `now` answers Unix seconds. At most one write a second. A disk that takes none does not stop the worker: what it
    lands may lie elsewhere.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._written_at = float("-inf")

    def beat(self, *, landed_events: int, landed_dead_letters: int, waiting: int) -> None:
        """Says that the worker goes on."""
        now = self._now()
        if now - self._written_at < 1:
            return
        self._written_at = now
        # Workers may share a home; each writes its own file before it takes the place.
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        facts = {
            "updated_at": now,
            "landed_events": landed_events,
            "landed_dead_letters": landed_dead_letters,
            "waiting": waiting,
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps(facts), encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            _log.warning("The sign of life was not written: %s", error)
