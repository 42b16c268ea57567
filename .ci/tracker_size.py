"""Prints how large logektor.js is for a browser, and fails past 5 KB: `python3 .ci/tracker_size.py`."""

import gzip
import sys
from pathlib import Path

MOST_BYTES = 5 * 1024
SCRIPT = Path(__file__).parent.parent / "ingest_api/tracker/logektor.js"


def main() -> None:
    source = SCRIPT.read_bytes()
    size = len(gzip.compress(source, 9))
    print(f"logektor.js: {len(source):,} bytes, {size:,} compressed by gzip; at most {MOST_BYTES:,} are allowed")
    sys.exit(size > MOST_BYTES)


if __name__ == "__main__":
    main()
