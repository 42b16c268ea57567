"""What can go wrong with the lake.

LakeError
├── LandingConflict   another writer has landed a stream partition meanwhile: read the progress again and go on
├── TableConflict     another writer has changed the same days meanwhile: read the table again and go on
├── TableDiffers      a column of the table has another type than its definition says
├── TableNewer        a newer version of Logektor has written the table: install that
├── RowsChanged       a compaction changed the number of rows: restore the version before it
├── FilesMissing      a vacuum deleted files that the table needs: restore them
├── TableMissing      the table has not been built yet
└── LakeAway          the lake can't be read or written now; the sentence says why
"""

from collections.abc import Collection

from lake.store_answers import plain


class LakeError(Exception):
    """The root of the lake's errors."""


class LandingConflict(LakeError):
    """Another writer has landed a stream partition meanwhile; nothing of this batch was written."""


class TableConflict(LakeError):
    """Another writer has changed the same days of a table since it was read; nothing was written."""


class TableDiffers(LakeError):
    """A column of a table has another type than its definition says."""

    def __init__(self, table: str, column: str, present: str, defined: str) -> None:
        super().__init__(
            f"Table {table}: column {column} is {present}, its definition says {defined}. Give the column another "
            "name, or delete the table's folder; it is then built anew from what was landed."
        )


class TableNewer(LakeError):
    """A newer version of Logektor has written a table, in a form that this one does not know."""

    def __init__(self, table: str, version: int, known: int) -> None:
        super().__init__(
            f"Table {table} is of schema version {version}, and this Logektor knows {known}: a newer one wrote it. "
            "Install that one here too, or restore the lake as it was before."
        )


class RowsChanged(LakeError):
    """A compaction, which must only merge files, changed the number of rows."""

    def __init__(self, table: str, version: int, before: int, after: int) -> None:
        super().__init__(
            f"Table {table}: the compaction that made version {version} changed {before:,} rows to {after:,}. "
            f"Stop what writes it and restore version {version - 1}."
        )


class FilesMissing(LakeError):
    """A vacuum, which must only delete what nobody needs, deleted files of the table as it is now."""

    def __init__(self, table: str, files: Collection[str]) -> None:
        super().__init__(
            f"Table {table}: the vacuum deleted {len(files):,} files that it needs, such as {min(files)}. Switch the "
            "schedule of the vacuum off, and restore them from a backup, or build their days anew."
        )


class TableMissing(LakeError):
    """The table has not been built yet."""


class LakeAway(LakeError):
    """The lake can't be read or written now. The sentence may end with what a library said."""

    def __init__(self, sentence: str) -> None:
        super().__init__(plain(sentence))
