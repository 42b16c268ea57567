"""`python -m tests.scale.refreshing HOME LAKE`: brings all tables up to what was landed, once a minute."""

import logging
import signal
import sys
import threading
from pathlib import Path

from lake.errors import LakeError
from lake.location import Lake
from pipelines.refresh.up_to_date import bring_up_to_date
from pipelines.reports.all_reports import REPORTS
from sites import load_sites

SECONDS = 60.0


def main(home: Path, lake: Lake) -> None:
    """Until it is asked to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    while True:
        try:
            days = bring_up_to_date(lake, REPORTS, list(load_sites(home / "sites.toml")))
            logging.info("Refreshed %s", days)
        except LakeError:
            logging.exception("The next refresh tries again")
        if stopping.wait(SECONDS):
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Lake(sys.argv[2]))
