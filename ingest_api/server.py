"""The server process: granian, which starts the worker processes."""

import math
import os
import shutil
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from ingest_api.settings import CollectorSettings

LOGGING: dict[str, Any] = {
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "propagate": False}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
"""Plain sentences on stderr. There is no access log: it would hold addresses and keys."""

_SILENT_MILLISECONDS = 5_000
"""How long a connection may wait with the head of a request; it is one of the `max_requests` all the while."""


def serve(settings: CollectorSettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises OSError where the address can't be listened on."""
    _require_free(settings.collector_host, settings.collector_port)
    _empty(settings.metrics_folder)
    server = Server(
        "ingest_api",
        address=settings.collector_host,
        port=settings.collector_port,
        interface=Interfaces.RSGI,
        workers=settings.collector_workers,
        respawn_failed_workers=True,
        backpressure=settings.max_requests,
        # A connection of HTTP/2, or one that does not say yet which it is, would be held open for as long as it likes.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_SILENT_MILLISECONDS),
        loop=Loops.auto,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=LOGGING,
        workers_kill_timeout=math.ceil(settings.stop_seconds) + 1,
    )
    try:
        server.serve(target_loader=partial(_load, settings), wrap_loader=False)
    finally:
        shutil.rmtree(settings.metrics_folder, ignore_errors=True)


def _load(settings: CollectorSettings) -> Any:
    # The fork has its parent's handlers, which would swallow a signal until the worker sets its own.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Read by prometheus-client when it is imported.
    os.environ.update(PROMETHEUS_MULTIPROC_DIR=str(settings.metrics_folder))
    # Only the worker needs it: the process that watches over the workers stays small.
    from ingest_api.application import Application

    return Application(settings)


def _empty(folder: Path) -> None:
    """Counts begin anew with the server, as Prometheus expects of a process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _require_free(host: str, port: int) -> None:
    """The workers share their port, and would share it with another collector too."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
