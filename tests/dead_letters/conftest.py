"""A stream of its own for each test."""

from pathlib import Path

import pytest

from tests.dead_letters.stream import Stream


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return Stream(tmp_path)
