"""Which home a command means, so that `up --home DIR` in one terminal and `import` in another find each other."""

import hashlib
from pathlib import Path

from logektor.errors import StackError
from logektor.running import is_running
from logektor.settings import StackSettings

REGISTER = Path("~/.cache/logektor/running")
"""A file per home that `up` has run on; its text is the home. Whether it still runs, the home's own lock says."""


def announce(home: Path, register: Path = REGISTER) -> None:
    """Notes that `up` runs on this home."""
    folder = register.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(str(home).encode()).hexdigest()[:16]).write_text(str(home), encoding="utf-8")


def running_homes(register: Path = REGISTER) -> list[Path]:
    """The homes on which an `up` of this user runs now; forgets the others."""
    running = []
    for note in sorted(register.expanduser().glob("*")):
        home = Path(note.read_text(encoding="utf-8"))
        if is_running(home):
            running.append(home)
        else:
            note.unlink(missing_ok=True)
    return running


def home_in_use(settings: StackSettings, register: Path = REGISTER) -> Path:
    """The home that was named; else the default one if `up` runs there; else the only one where it runs.

    Raises StackError where several run and none was named.
    """
    if "home" in settings.model_fields_set or is_running(settings.home):
        return settings.home
    running = running_homes(register)
    if len(running) > 1:
        listed = ", ".join(map(str, running))
        raise StackError(f"Logektor runs on several homes ({listed}): say which with --home or LOGEKTOR_HOME.")
    return running[0] if running else settings.home
