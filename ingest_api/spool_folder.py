"""The disk spool of one process: its own file, and those of processes that are gone."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from event_stream.errors import WriteRefused
from event_stream.ports import OutgoingRecord
from ingest_api.spool import SUFFIX, Spooled, SpoolFile, is_damage, set_aside_name

_log = logging.getLogger(__name__)

_ROW_BYTES = 64
"""What a record takes in a file beside its key and its value, about."""

_ROOM_BYTES = 256 * 1024
"""With less than this the spool counts as full: a batch of events would hardly fit."""


def _now_micros() -> int:
    return time.time_ns() // 1_000


class Depth(NamedTuple):
    """How much waits in the files of this process. `oldest` is in microseconds since 1970 UTC."""

    records: int
    bytes: int
    oldest: int | None


class Piece(NamedTuple):
    """Some records to drain, and the file that holds them."""

    file: SpoolFile
    spooled: Spooled


@dataclass
class _Pass:
    """One way through a file, from its oldest record on. `left`: something of it was refused and stays."""

    file: SpoolFile
    after: int = 0
    left: bool = False


class SpoolFolder:
    """Spool files under `folder`, which all collectors of a home share; each file belongs to one process.

    `most_bytes` bounds what all of them hold on disk together; 0 keeps nothing, and still drains what is there.
    Everything blocks and is called from one thread, but for `has_room`, which any thread may ask.
    Trouble with the disk is a refusal and one sentence in the log, never an exception.
    `now` answers microseconds since 1970 UTC.
    """

    def __init__(self, folder: Path, most_bytes: int, now: Callable[[], int] = _now_micros) -> None:
        self.keeps = most_bytes > 0
        self._has_room = False
        self._folder = folder
        self._most_bytes = most_bytes
        self._now = now
        self._own: SpoolFile | None = None
        self._passes: list[_Pass] = []
        self._said: str | None = None

    def has_room(self) -> bool:
        """Whether a batch of events would probably fit."""
        return self._has_room

    def append(self, writes: Sequence[Sequence[OutgoingRecord]]) -> list[WriteRefused | None]:
        """One result per write: None when its records are fsynced. All that fit are one commit."""
        if not self.keeps:
            return [WriteRefused("the disk spool is off")] * len(writes)
        try:
            room = self._most_bytes - self._used_bytes()
            results: list[WriteRefused | None] = []
            fitting: list[OutgoingRecord] = []
            for records in writes:
                size = sum(_ROW_BYTES + len(key or b"") + len(value) for _, key, value in records)
                if size > room:
                    results.append(WriteRefused("the disk spool is full"))
                    continue
                room -= size
                fitting.extend(records)
                results.append(None)
            if fitting:
                self._own_file().append(fitting, self._now())
        except (OSError, sqlite3.Error) as error:
            self._has_room = False
            self._tell(f"The disk spool can't be written: {error}. Until it can, what Kafka does not take is refused.")
            self._set_aside_if_damaged(self._own, error)
            return [WriteRefused("the disk spool can't be written")] * len(writes)
        self._said = None
        self._has_room = room >= _ROOM_BYTES
        return results

    def adopt(self) -> None:
        """Takes the files of processes that are gone, the oldest first."""
        held = {each.file.path for each in self._passes}
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path in held:
                continue
            try:
                orphan = SpoolFile.adopt(path)
            except (OSError, sqlite3.Error) as error:
                self._tell_of(path, error)
                continue
            if orphan is not None:
                self._passes.append(_Pass(orphan))
                if orphan.records:
                    _log.info("The spool file %s of a stopped collector holds %s records.", path.name, orphan.records)

    def rewind(self) -> None:
        """The next piece is the oldest there is."""
        for each in self._passes:
            each.after, each.left = 0, False

    def next_piece(self, most_records: int, most_bytes: int) -> Piece | None:
        """What to drain next, or None at the end. A file of which nothing was left is deleted."""
        for each in list(self._passes):
            try:
                spooled = each.file.read(each.after, most_records, most_bytes)
                if spooled.ids:
                    return Piece(each.file, spooled)
                if not each.left:
                    self._forget(each.file)
                    each.file.remove()
            except (OSError, sqlite3.Error) as error:
                self._tell_of(each.file.path, error)
                self._set_aside_if_damaged(each.file, error)
        return None

    def settle(self, piece: Piece, results: Sequence[WriteRefused | None]) -> None:
        """Deletes of a piece what has been drained; the rest stays for the next time from `rewind` on."""
        drained_pass = next((each for each in self._passes if each.file is piece.file), None)
        if drained_pass is None:
            # Meanwhile it was found damaged.
            return
        drained = [number for number, result in zip(piece.spooled.ids, results, strict=True) if result is None]
        drained_pass.after = piece.spooled.ids[-1]
        drained_pass.left = drained_pass.left or len(drained) < len(results)
        try:
            piece.file.delete(drained)
        except (OSError, sqlite3.Error) as error:
            # A disk too full to note that a record is gone: the file as a whole still goes when all of it is drained.
            self._tell_of(piece.file.path, error)
            self._set_aside_if_damaged(piece.file, error)

    def look(self) -> Depth:
        """How much waits; finds out anew whether there is room."""
        try:
            self._make_folder()
            self._has_room = (
                self._most_bytes - self._used_bytes() >= _ROOM_BYTES
                and _free_bytes(self._folder) >= _ROOM_BYTES
                and os.access(self._folder, os.W_OK)
            )
            oldest = [kept_at for each in self._passes if (kept_at := each.file.oldest()) is not None]
            own_bytes = sum(_size(each.file.path) for each in self._passes)
        except (OSError, sqlite3.Error) as error:
            self._has_room = False
            self._tell(f"The disk spool in {self._folder} can't be read: {error}.")
            return Depth(sum(each.file.records for each in self._passes), 0, None)
        return Depth(sum(each.file.records for each in self._passes), own_bytes, min(oldest, default=None))

    def close(self) -> None:
        """Deletes files that are empty; the others wait for the next process."""
        for each in self._passes:
            try:
                if each.file.records:
                    each.file.close()
                else:
                    each.file.remove()
            except (OSError, sqlite3.Error) as error:
                self._tell_of(each.file.path, error)
        self._passes = []
        self._own = None

    def _own_file(self) -> SpoolFile:
        if self._own is None:
            self._make_folder()
            self._own = SpoolFile.create(self._folder, self._now())
            self._passes.append(_Pass(self._own))
        return self._own

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What SQLite writes into it is fsynced by SQLite; the folder itself is not.
            parent = os.open(self._folder.parent, os.O_RDONLY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)

    def _used_bytes(self) -> int:
        """What all files of the folder hold; what is free again inside one counts only for the process that has it."""
        if not self._folder.exists():
            return 0
        files = [path for path in self._folder.iterdir() if path.suffix in {SUFFIX, f"{SUFFIX}-wal"}]
        return sum(map(_size, files)) - sum(each.file.free_bytes() for each in self._passes)

    def _forget(self, file: SpoolFile) -> None:
        self._passes = [each for each in self._passes if each.file is not file]
        if self._own is file:
            self._own = None

    def _set_aside_if_damaged(self, file: SpoolFile | None, error: Exception) -> None:
        if file is not None and is_damage(error):
            self._forget(file)
            try:
                file.set_aside()
            except (OSError, sqlite3.Error) as trouble:
                self._tell_of(file.path, trouble)

    def _tell_of(self, path: Path, error: Exception) -> None:
        if is_damage(error):
            aside = set_aside_name(path)
            _log.error(
                "The spool file %s is damaged (%s) and set aside as %s: it may hold events that were accepted. "
                "Read them with sqlite3 %s .recover.",
                *(path, error, aside.name, aside),
            )
        else:
            self._tell(f"The spool file {path} can't be used now: {error}.")

    def _tell(self, sentence: str) -> None:
        """Once: a full disk would fill with its own complaints."""
        if sentence != self._said:
            self._said = sentence
            _log.error(sentence)


def _size(path: Path) -> int:
    """0 for a file that is gone meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
