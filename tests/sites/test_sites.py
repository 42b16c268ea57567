import os
import stat
import tomllib
import zoneinfo
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sites import Funnel, Goal, LiveSites, Site, Sites, SitesError, load_sites, register_site
from sites.reading import FIELD_OF_KEY, parse_sites

EXAMPLE = Site("example.com", ("pk_1",), ("sk_1",), "Europe/Berlin", ("https://partner.test",))


SITE = '[[site]]\ndomain = "a"\nwrite_key = "pk_12345"\nserver_key = "sk_12345"\n'


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
    path.write_text("# mine\n" + SITE, encoding="utf-8")
    register_site(path, "b.test")
    assert path.read_text(encoding="utf-8").startswith("# mine\n" + SITE)
    assert [site.domain for site in load_sites(path)] == ["a", "b.test"]


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
        ("n = " + "1" * 5_000, "not valid TOML"),
        ("n = " + "[" * 5_000, "not valid TOML"),
        ('[[site]]\ndomain = "a"\n', "site 'a': write_key must be"),
        (SITE + "colour = 1\n", "unknown setting 'colour'"),
        (SITE + 'time_zone = "Mars"\n', "time_zone 'Mars'"),
        (SITE + 'time_zone = "localtime"\n', "time_zone 'localtime'"),
        (SITE + "time_zone = 2026-01-01\n", "time_zone datetime.date(2026, 1, 1)"),
        (SITE + 'origins = "x"\n', "origins 'x' must be a list"),
        (SITE + "rate_limit = 0\n", "rate_limit 0 must be a whole number from 1"),
        (SITE + "rate_limit = true\n", "rate_limit True must be"),
        (SITE + "rate_limit = 0x" + "f" * 5_000, "rate_limit (too long to be shown) must be"),
        (SITE + 'oldest_days = "9"\n', "oldest_days '9' must be"),
        (SITE + 'do_not_track = "yes"\n', "do_not_track 'yes' must be one of anonymous, drop, ignore"),
        (SITE + 'bots = "kill"\n', "bots 'kill' must be one of label, drop"),
        (SITE + "query_parameters = [1]\n", "each of query_parameters 1 must be a text"),
        (SITE + 'query_parameters = ["utm_*"]\n', "query_parameters names 'utm_*'"),
        (SITE + "goal = 1\n", "each goal as a table of its own"),
        (SITE + '[[site.goal]]\nname = "g"\n', "goal 'g': needs either action or page"),
        (SITE + '[[site.goal]]\nname = "g"\npage = "thanks"\n', "page 'thanks' must be a path"),
        (SITE + '[[site.goal]]\nname = "g"\npage = "/thanks?a=1"\n', "page '/thanks?a=1' must be a path"),
        (
            SITE + '[[site.goal]]\nname = "g"\naction = "a"\nproperties = {n = 1}\n',
            "properties {'n': 1} must be a table",
        ),
        (
            SITE + '[[site.goal]]\nname = "g"\naction = "a"\nproperties = {\'a"b\' = "x"}\n',
            "the property 'a\"b' can't be asked for",
        ),
        (
            SITE
            + '[[site.goal]]\nname = "g"\naction = "a"\n[[site.funnel]]\nname = "f"\nsteps = ["g", "g"]\n'
            + "window_days = 31\n",
            "window_days 31 must be a whole number from 1 to 30",
        ),
        (SITE + '[[site.goal]]\nname = "g"\naction = "a"\n' * 2, "the goal 'g' is used twice"),
        (SITE + '[[site.funnel]]\nname = "f"\nsteps = ["a", "b"]\n', "steps names 'a', which is no goal"),
        (SITE + '[[site.funnel]]\nname = "f"\nsteps = ["a"]\n', "steps ['a'] must name at least two goals"),
        ('[[site]]\ndomain = "https://a.test"\n', "domain must be a host name"),
        ("site = 1\n", "each site as a table of its own"),
        (SITE + SITE.replace("_12345", "_54321"), "the domain 'a' is used twice"),
        (SITE.replace("sk_12345", "pk_12345"), "a key of it is used twice"),
    ],
)
def test_a_bad_file_is_refused_with_place_and_rule(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "sites.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SitesError, match=r"sites\.toml") as raised:
        load_sites(path)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "x.test", "//x.test", "https://*.x.test", "https://x.test/", "https://x.test/path"),
        *("https://x.test?", "https://X.test", "https://me@x.test", "https://x .test", "https://x.test:443"),
        *("http://x.test:80", "https://x.test:0", "https://x.test:99999", "https://x.test:x", "https://"),
    ],
)
def test_what_no_browser_says_as_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(SitesError) as raised:
        parse_sites(tomllib.loads(f"{SITE}origins = [{origin!r}]"), "sites.toml")
    assert f"site 'a': origins names {origin!r}" in str(raised.value)


@pytest.mark.parametrize(
    "origin", ["https://x.test", "http://x.test:443", "http://[::1]:5173", "http://127.0.0.1:3000", "capacitor://app"]
)
def test_what_browsers_say_as_an_origin_is_allowed(origin: str) -> None:
    (site,) = parse_sites(tomllib.loads(f"{SITE}origins = [{origin!r}]"), "sites.toml")
    assert site.allows(origin)


@pytest.mark.parametrize("key", ["", "secret7", "secret of mine", "sécrètement", "user:password", "k" * 201])
@pytest.mark.parametrize("name", ["write_key", "server_key"])
def test_a_key_that_could_be_guessed_or_not_be_sent_is_refused_and_not_shown(name: str, key: str) -> None:
    table = {"domain": "a", "write_key": "pk_12345", "server_key": "sk_12345", name: ["other_key", key]}
    with pytest.raises(SitesError, match=f"site 'a': {name} must be a text of 8 to 200") as raised:
        parse_sites({"site": [table]}, "sites.toml")
    assert "other_key" not in str(raised.value)
    assert not key or key not in str(raised.value)


def test_a_key_that_two_sites_have_is_told_by_the_sites_and_not_shown() -> None:
    second = SITE.replace('"a"', '"b"').replace("sk_12345", "sk_54321")
    with pytest.raises(SitesError, match="site 'b': a key of it is used twice, also by site 'a'") as raised:
        parse_sites(tomllib.loads(SITE + second), "sites.toml")
    assert "pk_12345" not in str(raised.value)


def _installed_time_zones() -> set[str]:
    roots = [Path(root) for root in zoneinfo.TZPATH]
    files = {str(file.relative_to(root)) for root in roots for file in root.rglob("*") if file.is_file()}
    return files | zoneinfo.available_timezones()


def test_every_time_zone_that_a_site_may_have_is_one_that_tables_can_be_built_in() -> None:
    moment = pl.Series([datetime(2026, 1, 1, tzinfo=UTC)])
    taken = 0
    for name in _installed_time_zones():
        try:
            parse_sites(tomllib.loads(f"{SITE}time_zone = {name!r}"), "sites.toml")
        except SitesError:
            continue
        moment.dt.convert_time_zone(name)
        taken += 1
    assert taken > 400


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SitesError, match=r"sites\.toml: could not be written"):
        register_site(tmp_path / "home" / "sites.toml", "example.com")


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
write_key = ["pk_of_now", "pk_of_old"]
server_key = "sk_secret"
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
            ("pk_of_now", "pk_of_old"),
            ("sk_secret",),
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
    assert sites.by_key("pk_of_old") == (sites.by_domain("shop.example"), False)
    assert sites.by_key("sk_secret") == (sites.by_domain("shop.example"), True)


# As TOML writes them down.
words = st.sampled_from(['"a"', '"/b"', '"UTC"', '"drop"', '"pk_12345"', '"sk_12345"', '"https://x.test"', '"\\u0000"'])
numbers = st.sampled_from(["0", "-7", "5", "1e400", "nan", "0x" + "f" * 5_000, "9" * 5_000, "true", "1979-05-27"])
values = st.recursive(
    words | numbers | st.text(max_size=8).map(repr),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(["name", "action", "page", "steps", "properties", "x"]), inner, max_size=3
        ).map(lambda table: "{" + ", ".join(f"{name} = {value}" for name, value in table.items()) + "}")
    ),
    max_leaves=8,
)
lines = st.dictionaries(st.sampled_from([*FIELD_OF_KEY, "colour"]), values, max_size=6).map(
    lambda table: "".join(f"{name} = {value}\n" for name, value in table.items())
)
headings = st.sampled_from(["", "[[site]]\n", "[[site.goal]]\n", "[[site.funnel]]\n", "[site]\n", SITE])
documents = st.lists(st.tuples(headings, lines), max_size=4).map(
    lambda tables: "".join(heading + table for heading, table in tables).encode()
)


@given(documents | st.binary(max_size=60))
@example(b'[[site]]\ndomain = ["a"]\n')
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_sites_or_a_sentence_and_what_was_known_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sites.toml"
    path.write_text(SITE, encoding="utf-8")
    os.utime(path, ns=(1, 1))
    live = LiveSites(path)
    path.write_bytes(content)
    after = live.refresh()
    try:
        expected = [site.domain for site in load_sites(path)]
    except SitesError as error:
        assert str(error).startswith(str(path))
        assert len(str(error)) < 1_000
        assert live.trouble == str(error)
        expected = []
    assert [site.domain for site in after] == (expected or ["a"])


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
