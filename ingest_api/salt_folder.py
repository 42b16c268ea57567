"""The salts on disk: how the processes of a host share them, and how they outlive a restart while Kafka is away."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path


class SaltFolder:
    """One file for each date, readable by its owner only. Several processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self, day: date) -> bool:
        """Whether the date has a salt."""
        return (self._folder / day.isoformat()).exists()

    def shared(self, day: date, new: Callable[[], bytes]) -> bytes:
        """The salt of a date; a `new` one where there is none. Raises OSError where it can't be stored."""
        file = self._folder / day.isoformat()
        try:
            return file.read_bytes()
        except FileNotFoundError:
            # Never over the salt of another process: the first one wins.
            with self._written(day, new()) as own, suppress(FileExistsError):
                os.link(own, file)
            return file.read_bytes()

    def replace(self, day: date, salt: bytes) -> bool:
        """Stores the salt of a date; answers whether there was another one. Raises OSError."""
        file = self._folder / day.isoformat()
        before = file.read_bytes() if file.exists() else None
        if before == salt:
            return False
        with self._written(day, salt) as own:
            own.replace(file)
        return before is not None

    def forget(self, is_over: Callable[[date], bool]) -> None:
        """Deletes the salts of dates that are over. Raises OSError."""
        if not self._folder.exists():
            return
        for file in self._folder.iterdir():
            try:
                day = date.fromisoformat(file.name.partition(".")[0])
            except ValueError:
                continue
            if is_over(day):
                file.unlink(missing_ok=True)

    @contextmanager
    def _written(self, day: date, salt: bytes) -> Iterator[Path]:
        """A file beside its place that holds the salt for certain, so that the date's own is whole or absent."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{day}.", dir=self._folder)
        own = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(salt)
                opened.flush()
                os.fsync(opened.fileno())
            yield own
        finally:
            own.unlink(missing_ok=True)
