"""One file of the disk spool: records in the order in which they came, each commit fsynced.

A SQLite database, so that a crash at any moment leaves whole commits. It is locked for as long as it is open, and the
lock is the kernel's: it goes with the process, however that ends.
"""

import fcntl
import io
import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from event_stream.ports import OutgoingRecord

SUFFIX = ".sqlite3"

_PRAGMAS = (
    # Without the memory that processes share beside the file: nobody else may open it, and a full disk can't hold it.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "journal_size_limit = 4194304",
)

# AUTOINCREMENT: an id never comes again, so whoever reads after an id misses nothing.
_TABLE = """
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kept_at INTEGER NOT NULL,
    topic TEXT NOT NULL,
    key BLOB,
    value BLOB NOT NULL
)
"""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY_CODE = 0xFF
"""The byte of an error code that names its kind; the others say where it arose."""


class Spooled(NamedTuple):
    """Records of a file with their ids, oldest first."""

    ids: list[int]
    records: list[OutgoingRecord]


class SpoolFile:
    """A file that this process has locked. Used from one thread. Everything may raise OSError or sqlite3.Error."""

    def __init__(self, path: Path, lock: io.FileIO) -> None:
        self.path = path
        self._lock = lock
        self._connection = sqlite3.connect(path)
        try:
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(_TABLE)
            (self.records,) = self._connection.execute("SELECT count(*) FROM record").fetchone()
        except sqlite3.Error:
            self._connection.close()
            raise

    @classmethod
    def create(cls, folder: Path, now: int) -> Self:
        """A new file; `now` is in microseconds since 1970 UTC, so that names sort by age."""
        while True:
            path = folder / f"{now}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
            lock = io.FileIO(path, "x+", opener=_open_private)
            try:
                # Whoever looks for orphans may have been quicker: then it is theirs.
                if _locked(path, lock):
                    return cls(path, lock)
            except sqlite3.Error:
                path.unlink()
                lock.close()
                raise
            lock.close()

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """The file of a process that is gone; None where its process lives. A damaged one is set aside and raises."""
        try:
            lock = io.FileIO(path, "r+")
        except FileNotFoundError:
            return None
        try:
            if _locked(path, lock):
                return cls(path, lock)
        except sqlite3.Error as error:
            if is_damage(error):
                _rename(path)
            lock.close()
            raise
        lock.close()
        return None

    def append(self, records: Iterable[OutgoingRecord], now: int) -> None:
        """All of them in one commit; durable on return. `now` is in microseconds since 1970 UTC."""
        rows = [(now, *record) for record in records]
        with self._connection:
            self._connection.executemany("INSERT INTO record (kept_at, topic, key, value) VALUES (?, ?, ?, ?)", rows)
        self.records += len(rows)

    def read(self, after: int, most_records: int, most_bytes: int) -> Spooled:
        """What follows the id `after`, oldest first; at least one record where there is one."""
        spooled = Spooled([], [])
        left = most_bytes
        rows = self._connection.execute(
            "SELECT id, topic, key, value FROM record WHERE id > ? ORDER BY id LIMIT ?", (after, most_records)
        )
        for number, topic, key, value in rows:
            left -= len(value)
            if left < 0 and spooled.ids:
                break
            spooled.ids.append(number)
            spooled.records.append(OutgoingRecord(topic, key, value))
        rows.close()
        return spooled

    def delete(self, ids: Sequence[int]) -> None:
        """These records are no longer needed."""
        with self._connection:
            self._connection.executemany("DELETE FROM record WHERE id = ?", [(number,) for number in ids])
        self.records -= len(ids)

    def oldest(self) -> int | None:
        """When the oldest record was kept, in microseconds since 1970 UTC; None where there is none."""
        row = self._connection.execute("SELECT kept_at FROM record ORDER BY id LIMIT 1").fetchone()
        return None if row is None else int(row[0])

    def free_bytes(self) -> int:
        """How much of the file is free again, for records to come."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (page,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int(free) * int(page)

    def close(self) -> None:
        """What it holds stays, for whoever adopts it."""
        try:
            self._connection.close()
        finally:
            self._lock.close()

    def remove(self) -> None:
        """Gives its space back; only for a file that nobody needs any more."""
        try:
            self._connection.close()
            # In this order: the database without its log holds records of before, never too few files.
            _log_of(self.path).unlink(missing_ok=True)
            self.path.unlink()
        finally:
            self._lock.close()

    def set_aside(self) -> None:
        """Closes a damaged file, and gives it and its log the name that nobody adopts."""
        try:
            self._connection.close()
            _rename(self.path)
        finally:
            self._lock.close()


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file's content is broken, not that the disk has no room or no time."""
    return (
        isinstance(error, sqlite3.DatabaseError)
        and getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY_CODE in _DAMAGED
    )


def set_aside_name(path: Path) -> Path:
    """What a damaged file is called: SQLite's shell finds the log beside it."""
    return path.with_suffix(".damaged")


def _rename(path: Path) -> None:
    aside = set_aside_name(path)
    log = _log_of(path)
    if log.exists():
        log.rename(_log_of(aside))
    path.rename(aside)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _locked(path: Path, lock: io.FileIO) -> bool:
    """Whether the open file is now this process's, and still the one at its path."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(lock.fileno()).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
