"""Environments beside this one, for programs that must not come into it: each is made once on a machine."""

import subprocess
import sys
from pathlib import Path

_CACHE = Path("~/.cache/logektor").expanduser()
_SECONDS = 600


class EnvironmentFailed(Exception):
    """It can't be made or used here; the message says why."""


def other_environment(name: str, *packages: str) -> Path:
    """The Python of an environment that has some packages, given with their versions. Raises EnvironmentFailed."""
    home = _CACHE / name
    python, made = home / "bin" / "python", home / "made-with"
    wanted = " ".join(packages)
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        run([sys.executable, "-m", "venv", "--clear", str(home)])
        run([str(python), "-m", "pip", "install", "--quiet", *packages])
        made.write_text(wanted, encoding="utf-8")
    return python


def run(command: list[str]) -> None:
    """Runs a command to its end, within ten minutes. Raises EnvironmentFailed."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        raise EnvironmentFailed(f"{command[0]} ended with {error.returncode}: {error.stderr.strip()[-500:]}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise EnvironmentFailed(str(error)) from error
