"""A landing worker that strikes itself: `python -m tests.landing.struck_worker KILL|STOP before|after N`."""

import os
import signal
import sys
from unittest.mock import patch

import pyarrow as pa

import pipelines.landing.__main__ as landing
from lake.landing_table import DeltaLandingTable
from lake.progress import Progress


class StrikingTable(DeltaLandingTable):
    """Sends its process a signal at its n-th append, before or after the commit."""

    number = signal.SIGKILL
    when = "after"
    left = 1

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        StrikingTable.left -= 1
        self._strike("before")
        super().append(events, dead_letters, first_offsets, next_offsets)
        self._strike("after")

    def _strike(self, when: str) -> None:
        if self.left == 0 and self.when == when:
            os.kill(os.getpid(), self.number)


if __name__ == "__main__":
    StrikingTable.number = signal.Signals[f"SIG{sys.argv[1]}"]
    StrikingTable.when, StrikingTable.left = sys.argv[2], int(sys.argv[3])
    with patch.object(landing, "DeltaLandingTable", StrikingTable):
        sys.exit(landing.main())
