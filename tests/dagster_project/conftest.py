"""A home of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.dagster_project.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home, and an instance that remembers runs in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(tmp_path, instance)
