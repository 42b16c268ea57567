import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sites import Funnel, Goal, LiveSites, Site, Sites, SitesError, load_sites, register_site
from sites.reading import FIELD_OF_KEY, parse_sites

EXAMPLE = Site("example.com", ("pk_1",), ("sk_1",), "Europe/Berlin", ("https://partner.test",))


SITE = '[[site]]\ndomain = "a"\nwrite_key = "1"\nserver_key = "2"\n'


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
    localhost = Site("localhost", ("pk",), ("sk",))
    assert localhost.allows("http://localhost:5173")
    assert localhost.allows("http://127.0.0.1:8000")


def test_a_key_finds_its_site_and_says_whether_it_is_secret() -> None:
    sites = Sites([EXAMPLE, Site("other.test", ("pk_2",), ("sk_2",))])
    assert sites.by_key("pk_1") == (EXAMPLE, False)
    assert sites.by_key("sk_1") == (EXAMPLE, True)
    assert sites.by_key("pk_3") is None


def test_the_most_specific_site_gets_a_subdomains_events() -> None:
    shop = Site("shop.example.com", ("pk_2",), ("sk_2",))
    assert Sites([EXAMPLE, shop]).by_origin("https://shop.example.com") == shop


def test_an_origin_that_a_site_names_is_its_own_and_localhost_keeps_its_numbers() -> None:
    sites = Sites([EXAMPLE, Site("localhost", ("pk_2",), ("sk_2",))])
    assert sites.by_origin("https://partner.test") == EXAMPLE
    assert sites.by_origin("http://127.0.0.1:5173") == sites.by_domain("localhost")
    assert sites.by_origin("https://stranger.test") is None


@pytest.mark.parametrize("origin", ["http://[", "https://" + "a." * 100_000 + "example.com", "https://example.com:x"])
def test_an_origin_that_is_none_is_nobodys_and_costs_nothing(origin: str) -> None:
    assert Sites([Site("a.test", ("pk",), ("sk",))]).by_origin(origin) is None


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
        (SITE + 'origins = "x"\n', "origins must be a list"),
        (SITE + 'origins = ["https://x.test/path"]\n', "origins names 'https://x.test/path'"),
        (SITE + 'origins = ["*"]\n', "origins names '*'"),
        (SITE + "rate_limit = 0\n", "rate_limit 0 must be a whole number from 1"),
        (SITE + "rate_limit = true\n", "rate_limit True must be"),
        (SITE + 'oldest_days = "9"\n', "oldest_days '9' must be"),
        (SITE + 'do_not_track = "yes"\n', "do_not_track 'yes' must be one of anonymous, drop, ignore"),
        (SITE + 'bots = "kill"\n', "bots 'kill' must be one of label, drop"),
        (SITE + "query_parameters = [1]\n", "each of query_parameters must be a text"),
        (SITE + "goal = 1\n", "each goal as a table of its own"),
        (SITE + '[[site.goal]]\nname = "g"\n', "goal 'g': needs either action or page"),
        (SITE + '[[site.goal]]\nname = "g"\npage = "thanks"\n', "page 'thanks' must be a path"),
        (SITE + '[[site.goal]]\nname = "g"\naction = "a"\nproperties = {n = 1}\n', "properties must be a table"),
        (SITE + '[[site.goal]]\nname = "g"\naction = "a"\n' * 2, "the same goal is used twice"),
        (SITE + '[[site.funnel]]\nname = "f"\nsteps = ["a", "b"]\n', "steps names 'a', which is no goal"),
        (SITE + '[[site.funnel]]\nname = "f"\nsteps = ["a"]\n', "steps must name at least two goals"),
        ('[[site]]\ndomain = "https://a.test"\n', "domain must be a host name"),
        ("site = 1\n", "each site as a table of its own"),
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


def test_a_site_may_say_everything(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    path.write_text(
        """
[[site]]
domain = "shop.example"
write_key = ["pk_new", "pk_old"]
server_key = "sk_1"
time_zone = "Europe/Berlin"
origins = ["https://pay.example"]
rate_limit = 500
oldest_days = 7
do_not_track = "drop"
bots = "drop"
query_parameters = ["q"]

[[site.goal]]
name = "basket"
page = "/basket/**"

[[site.goal]]
name = "pro"
action = "signup"
properties = {plan = "pro"}

[[site.funnel]]
name = "sale"
steps = ["basket", "pro"]
window_days = 3
""",
        encoding="utf-8",
    )
    sites = load_sites(path)
    assert list(sites) == [
        Site(
            "shop.example",
            ("pk_new", "pk_old"),
            ("sk_1",),
            "Europe/Berlin",
            ("https://pay.example",),
            500,
            7,
            "drop",
            "drop",
            ("q",),
            (Goal("basket", page="/basket/**"), Goal("pro", action="signup", properties=(("plan", "pro"),))),
            (Funnel("sale", ("basket", "pro"), 3),),
        )
    ]
    assert sites.by_key("pk_old") == (sites.by_domain("shop.example"), False)
    assert sites.by_key("sk_1") == (sites.by_domain("shop.example"), True)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["a", "/b", "UTC"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "action", "page", "steps", "properties", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from([*FIELD_OF_KEY, "colour"]), values, max_size=6), max_size=2))
def test_any_document_is_sites_or_a_sentence(tables: list[dict[str, object]]) -> None:
    complete = [
        {"domain": f"s{number}.test", "write_key": f"w{number}", "server_key": f"s{number}"} for number in (0, 1)
    ]
    for document in (tables, [whole | table for whole, table in zip(complete, tables, strict=False)]):
        try:
            parse_sites({"site": document}, "sites.toml")
        except SitesError as error:
            assert str(error).startswith("sites.toml")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", None])
def test_a_file_that_is_empty_for_a_moment_takes_no_site_away(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "sites.toml"
    register_site(path, "example.com")
    live, whole = LiveSites(path), path.read_text()
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert live.refresh().by_domain("example.com") is not None
    assert live.trouble is not None
    assert "no site any more" in live.trouble
    path.write_text(whole)
    assert live.refresh().by_domain("example.com") is not None
    assert live.trouble is None


def test_a_file_that_cannot_be_read_keeps_the_old_sites(tmp_path: Path) -> None:
    path = tmp_path / "sites.toml"
    register_site(path, "example.com")
    live = LiveSites(path)
    path.unlink()
    path.mkdir()
    assert live.refresh().by_domain("example.com") is not None
    assert live.trouble is not None
    assert "can't be read" in live.trouble
