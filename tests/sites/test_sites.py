import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest

from sites import LiveSites, Site, Sites, SitesError, load_sites, register_site

EXAMPLE = Site("example.com", "pk_1", "sk_1", "Europe/Berlin", ("https://partner.test",))


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://example.com", True),
        ("https://www.example.com", True),
        ("http://example.com:8443", True),
        ("https://partner.test", True),
        ("https://partner.test:444", False),
        ("https://example.com.evil.test", False),
        ("https://notexample.com", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_the_sites_own_pages_and_named_origins_may_send(origin: str, allowed: bool) -> None:
    assert EXAMPLE.allows(origin) is allowed


def test_localhost_is_also_127_0_0_1_on_any_port() -> None:
    localhost = Site("localhost", "pk", "sk")
    assert localhost.allows("http://localhost:5173")
    assert localhost.allows("http://127.0.0.1:8000")


def test_a_key_finds_its_site_and_says_whether_it_is_secret() -> None:
    sites = Sites([EXAMPLE, Site("other.test", "pk_2", "sk_2")])
    assert sites.by_key("pk_1") == (EXAMPLE, False)
    assert sites.by_key("sk_1") == (EXAMPLE, True)
    assert sites.by_key("pk_3") is None


def test_the_most_specific_site_gets_a_subdomains_events() -> None:
    shop = Site("shop.example.com", "pk_2", "sk_2")
    assert Sites([EXAMPLE, shop]).by_origin("https://shop.example.com") == shop


def test_an_origin_that_a_site_names_is_its_own_and_localhost_keeps_its_numbers() -> None:
    sites = Sites([EXAMPLE, Site("localhost", "pk_2", "sk_2")])
    assert sites.by_origin("https://partner.test") == EXAMPLE
    assert sites.by_origin("http://127.0.0.1:5173") == sites.by_domain("localhost")
    assert sites.by_origin("https://stranger.test") is None


@pytest.mark.parametrize("origin", ["http://[", "https://" + "a." * 100_000 + "example.com", "https://example.com:x"])
def test_an_origin_that_is_none_is_nobodys_and_costs_nothing(origin: str) -> None:
    assert Sites([Site("a.test", "pk", "sk")]).by_origin(origin) is None


def test_a_registered_site_is_read_back_and_registering_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    site = register_site(path, "example.com", "Europe/Berlin")
    before = path.read_bytes()
    assert register_site(path, "example.com") == site
    assert load_sites(path).by_domain("example.com") == site
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_registering_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    path.write_text('# mine\n[[site]]\ndomain = "a.test"\nwrite_key = "1"\nserver_key = "2"\n', encoding="utf-8")
    register_site(path, "b.test")
    assert path.read_text(encoding="utf-8").startswith('# mine\n[[site]]\ndomain = "a.test"')
    assert [site.domain for site in load_sites(path)] == ["a.test", "b.test"]


def _register(path: Path, number: int) -> None:
    register_site(path, f"site{number}.test")


def test_sites_registered_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    context = get_context("spawn")
    with context.Pool(2) as pool:
        pool.starmap(_register, [(path, number) for number in range(8)])
    assert len(load_sites(path)) == 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[site]\n", "not valid TOML"),
        ("[[sites]]\n", "unknown table 'sites'"),
        ('[[site]]\ndomain = "a"\n', "site 'a': write_key must be"),
        ('[[site]]\ndomain = "a"\nwrite_key = "1"\nserver_key = "2"\ncolour = 1\n', "unknown setting 'colour'"),
        ('[[site]]\ndomain = "a"\nwrite_key = "1"\nserver_key = "2"\ntime_zone = "Mars"\n', "time_zone 'Mars'"),
        ('[[site]]\ndomain = "a"\nwrite_key = "1"\nserver_key = "2"\norigins = "x"\n', "origins must be a list"),
        ('[[site]]\ndomain = "a"\nwrite_key = "1"\nserver_key = "1"\n', "the same key is used twice"),
    ],
)
def test_a_bad_file_is_refused_with_place_and_rule(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "sites.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SitesError, match=r"sites\.toml") as raised:
        load_sites(path)
    assert says in str(raised.value)


def test_a_refused_time_zone_never_reaches_the_file(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="time_zone"):
        register_site(tmp_path / "sites.toml", "example.com", "Mars/Olympus")
    assert not (tmp_path / "sites.toml").exists()


def test_a_bad_edit_keeps_the_old_sites_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    register_site(path, "example.com")
    live = LiveSites(path)
    good = path.read_bytes()
    path.write_text("[[site]", encoding="utf-8")
    assert live.refresh().by_domain("example.com") is not None
    assert live.trouble is not None
    path.write_bytes(good)
    os.utime(path, ns=(1, 1))
    live.refresh()
    assert live.trouble is None


def test_a_site_added_a_moment_ago_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    live = LiveSites(path)
    site = register_site(path, "example.com")
    assert live.current().by_domain("example.com") is None
    assert live.find(lambda sites: sites.by_key(site.write_key)) == (site, False)
