"""What the worker asks of the table that it lands in."""

from collections.abc import Iterable
from typing import Protocol

import pyarrow as pa

from lake.progress import Progress


class LandingTable(Protocol):
    """The table `landed`: rows, and how far each stream partition is landed, always changed together.

    Progress is keyed by (stream_id, stream partition); an offset is that of the *next* record. Raises LakeAway where
    the lake can't be reached; what an append did is then unknown, and the next call looks at the table afresh.
    """

    def landed(self, places: Iterable[tuple[str, int]]) -> Progress:
        """The next offset to land of each of these, as the table is now; one never landed is left out."""
        ...

    def append(self, events: pa.Table, dead_letters: pa.Table, first_offsets: Progress, next_offsets: Progress) -> None:
        """Writes rows and progress in one commit, if the table stands at `first_offsets`.

        A stream partition that was never landed may begin at any offset. Raises LandingConflict, having written
        nothing, where another worker has landed one of these stream partitions since this object looked last.
        """
        ...
