"""`logektor sites …`."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ingest_api.salts import Salts
from logektor.__main__ import app
from logektor.running import Running, hold, write_running
from sites import load_sites
from tests.ingest_api.conftest import Api

SHOP = """
[[site]]
domain = "shop.example"
write_key = ["pk_of_now", "pk_of_old"]
server_key = "sk_secret"
time_zone = "Europe/Berlin"
rate_limit = 500
do_not_track = "drop"

[[site.goal]]
name = "signup"
action = "signup"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "sites.toml").write_text(SHOP, encoding="utf-8")
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["sites", *arguments, "--home", str(home)])


@pytest.mark.parametrize("domain", ["example.com", "localhost"])
def test_the_trial_that_adding_a_site_prints_gets_the_answer_that_it_prints(tmp_path: Path, domain: str) -> None:
    said = run(tmp_path, "add", domain, "--time-zone", "Europe/Berlin")
    assert said.exit_code == 0
    assert f'<script defer data-site="{domain}" src="http://127.0.0.1:8080/logektor.js"></script>' in said.stdout
    lines = said.stdout.splitlines()
    (trial,) = (line for line in lines if line.startswith("curl "))
    _, _, header, _, body, address = shlex.split(trial)
    path = address.removeprefix("http://127.0.0.1:8080")
    api = Api(tmp_path / "sites.toml", Salts(tmp_path / "salts"), default_site=None)
    answer = api.request("POST", path, content=body.encode(), headers=dict([header.split(": ")]))
    (promised,) = (line for line in lines if line.startswith('{"events"'))
    assert re.fullmatch(".*".join(map(re.escape, promised.split("…"))), answer.text)


def test_the_snippet_names_the_collector_as_websites_reach_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGEKTOR_COLLECTOR_URL", "https://events.example.com")
    assert 'src="https://events.example.com/logektor.js"' in run(shop, "add", "shop.example").stdout


def test_adding_a_site_again_shows_its_own_time_zone_and_the_key_of_now(shop: Path) -> None:
    said = run(shop, "add", "shop.example", "--time-zone", "UTC")
    assert "midnight, Europe/Berlin" in said.stdout
    assert "write key, for apps and images: pk_of_now\n" in said.stdout


def test_the_snippet_names_the_collector_that_runs(shop: Path) -> None:
    with hold(shop):
        write_running(shop, Running(1, {"collector": "http://127.0.0.1:9999"}, "k", "l", []))
        said = run(shop, "add", "shop.example")
    assert 'src="http://127.0.0.1:9999/logektor.js"' in said.stdout


def test_the_list_shows_what_a_site_declares_and_no_server_key(shop: Path) -> None:
    run(shop, "add", "plain.example")
    said = run(shop, "list")
    assert said.exit_code == 0
    for word in (
        "shop.example",
        "pk_of_now",
        "pk_of_old",
        "Europe/Berlin",
        "rate_limit 500",
        "do_not_track drop",
        "goals 1",
    ):
        assert word in said.stdout
    (plain,) = (line for line in said.stdout.splitlines() if line.startswith("plain.example"))
    site = load_sites(shop / "sites.toml").by_domain("plain.example")
    assert site is not None
    assert plain.split() == ["plain.example", site.write_key, "UTC"]
    assert "sk_" not in said.stdout


def test_no_command_shows_a_server_key(shop: Path) -> None:
    said = [run(shop, *arguments) for arguments in (["add", "shop.example"], ["list"], ["check"])]
    assert not [each for each in said if "sk_secret" in each.output]


def test_the_check_says_by_exit_code_and_sentence_what_is_wrong(shop: Path) -> None:
    fine = run(shop, "check")
    assert (fine.exit_code, "is fine: shop.example" in fine.stdout) == (0, True)
    (shop / "sites.toml").write_text(SHOP.replace("500", "0"), encoding="utf-8")
    for command in ("check", "list"):
        bad = run(shop, command)
        assert bad.exit_code == 1
        assert "site 'shop.example': rate_limit 0 must be a whole number" in bad.stderr


def test_a_new_file_can_be_checked_before_it_is_put_in_place(shop: Path) -> None:
    new = shop / "new.toml"
    new.write_text("[[site]]\n", encoding="utf-8")
    assert run(shop, "check", str(new)).exit_code == 1
    assert run(shop, "check").exit_code == 0


def test_a_home_without_sites_is_told_how_to_add_one(tmp_path: Path) -> None:
    assert "logektor sites add DOMAIN" in run(tmp_path, "list").stdout
    missing = run(tmp_path, "check")
    assert missing.exit_code == 1
    assert "logektor sites add DOMAIN" in missing.stderr
