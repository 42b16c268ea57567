"""What an import keeps between runs: the site's visitor key, and how far each file has come."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

_KEY_BYTES = 32


class _Progress(msgspec.Struct):
    acknowledged_lines: int


class ImportState:
    """The state of one file's import, in files that only their owner can read.

    The visitor key is the site's: a visitor whose day spans two files is one. A file is known by its content, not by
    its name.
    """

    def __init__(self, folder: Path, site: str, content_sha256: str) -> None:
        self._folder = folder
        name = quote(site, safe="")
        self._key_file = folder / f"{name}.visitor-key"
        self._progress_file = folder / f"{name}-{content_sha256}.json"

    def visitor_key(self) -> bytes:
        """The site's random key, made at the first import."""
        with suppress(FileNotFoundError):
            return self._key_file.read_bytes()
        new = self._write_new(self._key_file, secrets.token_bytes(_KEY_BYTES))
        # Linked, not moved: of two imports that begin at once, the first one's key stays.
        with suppress(FileExistsError):
            self._key_file.hardlink_to(new)
        new.unlink()
        return self._key_file.read_bytes()

    def acknowledged_lines(self) -> int:
        """How many lines from the file's beginning an interrupted import has brought to the collector."""
        try:
            return msgspec.json.decode(self._progress_file.read_bytes(), type=_Progress).acknowledged_lines
        except (FileNotFoundError, msgspec.DecodeError):
            return 0

    def acknowledge(self, lines: int) -> None:
        """Notes that so many lines from the file's beginning are acknowledged."""
        content = msgspec.json.encode(_Progress(lines))
        self._write_new(self._progress_file, content).replace(self._progress_file)

    def finish(self) -> None:
        """The file is imported; importing it again sends it all again, with the same ids."""
        self._progress_file.unlink(missing_ok=True)

    def _write_new(self, path: Path, content: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return new
