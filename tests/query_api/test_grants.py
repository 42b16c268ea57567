"""Tokens beside the home's own: what each opens, until when, and that no file tells one."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from query_api.app import create_app
from query_api.grants import Grants, Role, issue, load_grants, revoke
from query_api.tokens import TokenError
from tests.query_api.conftest import EMPTY, OTHER, SITE, Client, Home

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def make(home: Path, role: Role = "read", sites: list[str] | None = None, days: int | None = None) -> str:
    token, _ = issue(home, "for a test", role, sites, NOW, None if days is None else NOW + timedelta(days=days))
    return token


def asking_with(home: Home, token: str, now: datetime = NOW) -> Client:
    return Client(create_app(home.settings(), lambda: now), {"Authorization": f"Bearer {token}"})


def domains(client: Client) -> list[str]:
    return [site["domain"] for site in client.get("/api/sites").json()["sites"]]


def test_a_token_of_one_site_reads_only_that_site(own_home: Home) -> None:
    client = asking_with(own_home, make(own_home.path, sites=[OTHER]))
    assert domains(client) == [OTHER]
    assert client.get("/api/reports/traffic").status_code == 200
    hidden = client.get("/api/reports/traffic", params={"site": SITE})
    nowhere = client.get("/api/reports/traffic", params={"site": "nowhere.example"})
    assert hidden.status_code == nowhere.status_code == 400
    assert hidden.json()["error"]["message"].replace(SITE, "…") == nowhere.json()["error"]["message"].replace(
        "nowhere.example", "…"
    )


def test_a_token_of_all_sites_reads_sites_that_are_added_later(own_home: Home) -> None:
    assert domains(asking_with(own_home, make(own_home.path))) == [SITE, OTHER, EMPTY]


def test_a_token_ends_at_its_time(own_home: Home) -> None:
    token = make(own_home.path, days=2)
    almost = NOW + timedelta(days=2) - timedelta(microseconds=1)
    assert asking_with(own_home, token, almost).get("/api/reports").status_code == 200
    assert asking_with(own_home, token, NOW + timedelta(days=2)).get("/api/reports").status_code == 401


def test_a_revoked_token_opens_nothing_from_the_next_request_on(own_home: Home) -> None:
    client = asking_with(own_home, make(own_home.path))
    assert client.get("/api/reports").status_code == 200
    revoke(own_home.path, load_grants(own_home.path / "tokens.json")[0].id)
    assert client.get("/api/reports").status_code == 401


def test_a_share_link_opens_one_site_and_leaves_its_maker_who_he_was(own_home: Home) -> None:
    token = make(own_home.path, "share", [OTHER])
    stranger = Client(create_app(own_home.settings(), lambda: NOW), {})
    opened = stranger.get("/", params={"token": token, "site": OTHER})
    assert (opened.status_code, opened.headers["location"]) == (303, f"/?site={OTHER}")
    shared = opened.headers["set-cookie"].partition(";")[0]
    own = stranger.get("/", params={"token": own_home.token}).headers["set-cookie"].partition(";")[0]
    assert domains(Client(stranger.app, {"Cookie": shared})) == [OTHER]
    assert domains(Client(stranger.app, {"Cookie": f"{shared}; {own}"})) == [SITE, OTHER, EMPTY]


def test_no_file_tells_a_token_and_only_the_owner_reads_it(own_home: Home) -> None:
    token = make(own_home.path)
    file = own_home.path / "tokens.json"
    assert token not in file.read_text()
    assert token[3:] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_tokens_made_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: make(tmp_path), range(16)))
    grants = Grants(tmp_path)
    assert all(grants.find(token, NOW) for token in tokens)
    assert len(load_grants(tmp_path / "tokens.json")) == len(tokens) == 16


def test_a_file_that_cannot_be_read_opens_nothing_but_the_home_s_own(
    own_home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    token = make(own_home.path)
    client = asking_with(own_home, token)
    assert client.get("/api/reports").status_code == 200
    (own_home.path / "tokens.json").write_text('{"tokens": [{}]}')
    assert client.get("/api/reports").status_code == 401
    assert asking_with(own_home, own_home.token).get("/api/reports").status_code == 200
    assert "tokens.json: can't be read" in caplog.text
    with pytest.raises(TokenError, match="can't be read"):
        make(own_home.path)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_token_says_what_it_is_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(TokenError, match="name"):
        issue(tmp_path, name, "read", None, NOW, None)


def test_what_was_never_made_cannot_be_revoked(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="tokens list"):
        revoke(tmp_path, "1234")
