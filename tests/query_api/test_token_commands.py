"""`logektor tokens …`."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from logektor.__main__ import app
from query_api.grants import Grants
from sites import register_site


@pytest.fixture
def home(tmp_path: Path) -> Path:
    register_site(tmp_path / "sites.toml", "example.com")
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["tokens", *arguments, "--home", str(home)])


def test_a_token_is_shown_once_and_ends_when_it_is_revoked(home: Path) -> None:
    said = run(home, "add", "the newsletter team", "--site", "example.com", "--days", "30").stdout
    token = said.split()[-1]
    identifier = said.split()[1].rstrip(":")
    assert Grants(home).find(token, datetime.now(UTC)) is not None
    listed = run(home, "list").stdout
    assert "the newsletter team" in listed
    assert token not in listed
    assert "Revoked" in run(home, "revoke", identifier).stdout
    assert Grants(home).find(token, datetime.now(UTC)) is None


def test_a_share_link_leads_to_the_site_s_dashboard(home: Path) -> None:
    link = run(home, "share", "example.com").stdout.split()[-1]
    assert link.startswith("http://127.0.0.1:8000/?token=st_")
    assert link.endswith("&site=example.com")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["share", "nowhere.example"], "no site 'nowhere.example'"),
        (["add", "x", "--site", "nowhere.example"], "no site 'nowhere.example'"),
        (["revoke", "none"], "no token 'none'"),
        (["add", " "], "name"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(home: Path, arguments: list[str], words: str) -> None:
    result = run(home, *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
