"""Packages of npm that tests use as others do: an exact version, downloaded on the first run on this machine."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_CACHE = Path.home() / ".cache" / "logektor" / "npm"


def installed(package: str, version: str) -> Path:
    """The `node_modules` with this package; skips the test visibly where there is no npm, but never in CI."""
    folder = _CACHE / f"{package.replace('/', '-').removeprefix('@')}-{version}"
    if not folder.exists():
        npm = shutil.which("npm")
        if npm is None:
            assert "CI" not in os.environ, "CI needs this package: .ci/run must install npm"
            pytest.skip("npm is not installed")
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as home:
            new = Path(home) / "new"
            quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run([npm, "install", "--prefix", new, *quiet, f"{package}@{version}"], check=True, timeout=300)
            try:
                new.rename(folder)
            except OSError:
                # Another run was faster.
                assert folder.exists()
    return folder / "node_modules"
