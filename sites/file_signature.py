"""Telling whether a file is another one than at the last look."""

from pathlib import Path


def file_signature(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or written; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)
