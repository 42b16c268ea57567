"""Processes of servers: waiting for them, and their end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable

SECONDS = 600.0
_STOP_SECONDS = 20.0


def until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGINT, and SIGKILL to the process and all that it started where that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to the process and all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
