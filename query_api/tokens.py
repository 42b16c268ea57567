"""The read token of a home: who knows it may read every report."""

import contextlib
import os
import re
import secrets
from pathlib import Path

_SHAPE = re.compile(r"rt_[A-Za-z0-9_-]{20,200}")


class TokenError(Exception):
    """The read token can't be read or made; the sentence says why and what to do."""


def read_token(home: Path) -> str:
    """The token kept in <home>/read_token (mode 0600), made at the first call. Raises TokenError."""
    path = home / "read_token"
    try:
        if not path.exists():
            _make(path)
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{path}: the read token can't be read or made: {error}") from error
    if not _SHAPE.fullmatch(token):
        raise TokenError(f"{path}: holds no read token. Delete the file; a new token is made at the next start.")
    return token


def _make(path: Path) -> None:
    """Makes the file whole or not at all; where two processes do it at once, both read the first one's token."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("rt_" + secrets.token_urlsafe(24) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
    finally:
        new.unlink()
