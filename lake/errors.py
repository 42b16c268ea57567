"""What can go wrong with the lake.

LakeError
├── LandingConflict   another writer has landed a stream partition meanwhile: read the progress again and go on
├── TableMissing      the table has not been built yet
└── LakeAway          the lake can't be read or written now; the sentence says why
"""


class LakeError(Exception):
    """The root of the lake's errors."""


class LandingConflict(LakeError):
    """Another writer has landed a stream partition meanwhile; nothing of this batch was written."""


class TableMissing(LakeError):
    """The table has not been built yet."""


class LakeAway(LakeError):
    """The lake can't be read or written now."""
