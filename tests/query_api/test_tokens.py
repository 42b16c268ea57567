"""The read token: made once, whole, and for the owner's eyes only."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from query_api.tokens import TokenError, read_token


def test_the_first_start_makes_a_token_that_every_later_one_reads(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    token = read_token(home)
    assert token.startswith("rt_")
    assert len(token) > 30
    assert read_token(home) == token


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    read_token(tmp_path)
    assert stat.S_IMODE((tmp_path / "read_token").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: read_token(tmp_path), range(32)))
    assert len(tokens) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["read_token"]


@pytest.mark.parametrize("content", [b"", b"\n", b"secret", b"\xff\xfe", b"rt_short"])
def test_a_file_without_a_token_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "read_token").write_bytes(content)
    with pytest.raises(TokenError, match="read_token: "):
        read_token(tmp_path)


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TokenError, match="can't be read or made"):
        read_token(tmp_path / "file")
