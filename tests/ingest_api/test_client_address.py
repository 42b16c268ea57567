"""The client's address: what proxies say counts only as far as they are trusted."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest_api.client_address import client_address, read_networks

CLIENT = "203.0.113.9"
PROXIES = read_networks("10.0.0.0/8, 2001:db8:1::/48,127.0.0.1")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks_around(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> st.SearchStrategy[Network]:
    bits = st.integers(0, address.max_prefixlen)
    return bits.map(lambda length: ipaddress.ip_network((address, length), strict=False))


def test_nobody_is_believed_by_default() -> None:
    assert client_address("192.0.2.1:4711", [CLIENT], ()) == "192.0.2.1"


def test_who_is_no_trusted_proxy_is_the_client_whatever_it_says() -> None:
    assert client_address("192.0.2.1:4711", [CLIENT], PROXIES) == "192.0.2.1"


def test_a_trusted_proxy_is_believed() -> None:
    assert client_address("10.1.2.3:4711", [CLIENT], PROXIES) == CLIENT


def test_a_client_can_not_make_itself_another_one() -> None:
    assert client_address("10.1.2.3:4711", [f"198.51.100.1, 10.0.0.1, {CLIENT}"], PROXIES) == CLIENT


def test_trusted_proxies_are_passed_from_the_right() -> None:
    assert client_address("127.0.0.1:4711", [f"{CLIENT}, 2001:db8:1::5, 10.0.0.1"], PROXIES) == CLIENT


def test_several_headers_are_one_list() -> None:
    assert client_address("127.0.0.1:4711", [f"198.51.100.1, {CLIENT}", "10.0.0.2", "10.0.0.1"], PROXIES) == CLIENT


def test_where_all_are_trusted_the_farthest_is_the_client() -> None:
    assert client_address("127.0.0.1:4711", ["10.0.0.3, 10.0.0.2"], PROXIES) == "10.0.0.3"


@pytest.mark.parametrize("said", ["", "unknown", "_hidden", "203.0.113.999", "203.0.113.9.", "[", ":80", " "])
def test_what_is_no_address_ends_the_walk_at_the_last_good_one(said: str) -> None:
    assert client_address("10.1.2.3:4711", [f"{CLIENT}, {said}, 10.0.0.1"], PROXIES) == "10.0.0.1"
    assert client_address("10.1.2.3:4711", [said], PROXIES) == "10.1.2.3"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("203.0.113.9:1234", CLIENT),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:1234", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.9", CLIENT),
        ("[::ffff:203.0.113.9]:80", CLIENT),
    ],
)
def test_ports_brackets_zones_and_ipv4_within_ipv6_are_taken_off(said: str, address: str) -> None:
    assert client_address("10.1.2.3:4711", [said], PROXIES) == address
    assert client_address(said, [], PROXIES) == address
    assert client_address(said, [], ()) == address


def test_a_proxy_that_connects_by_ipv4_within_ipv6_is_trusted_as_ipv4() -> None:
    assert client_address("[::ffff:10.0.0.1]:4711", [CLIENT], PROXIES) == CLIENT


def test_a_peer_without_an_address_stays_as_it_is() -> None:
    assert client_address("", [CLIENT], PROXIES) == ""
    assert client_address("unix", [CLIENT], ()) == "unix"


@given(st.lists(st.text(max_size=60), max_size=4))
def test_whatever_a_header_says_the_answer_is_an_address(forwarded_for: list[str]) -> None:
    ipaddress.ip_address(client_address("10.0.0.1:1", forwarded_for, PROXIES))


@given(st.ip_addresses(network="2001:db8:2::/48") | st.ip_addresses(network="192.0.0.0/8"), st.text(max_size=60))
def test_the_client_is_whom_a_proxy_saw_whatever_it_claims(
    seen: ipaddress.IPv4Address | ipaddress.IPv6Address, claim: str
) -> None:
    assert ipaddress.ip_address(client_address("127.0.0.1:1", [claim, str(seen)], PROXIES)) == seen


@given(st.data(), st.ip_addresses(v=4).flatmap(_networks_around) | st.ip_addresses(v=6).flatmap(_networks_around))
def test_a_network_trusts_its_addresses_and_no_others(data: st.DataObject, network: Network) -> None:
    peer = data.draw(st.ip_addresses(network=network) | st.ip_addresses())
    assume(getattr(peer, "ipv4_mapped", None) is None)
    answer = client_address(f"[{peer}]:1", [CLIENT], read_networks(str(network)))
    assert (answer == CLIENT) is (peer in network or peer == ipaddress.ip_address(CLIENT))


def test_no_networks_are_nobody() -> None:
    assert read_networks("") == read_networks(" , ") == ()


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "10.0.0.0/40", "10.0.0.0-10.0.0.9"])
def test_a_bad_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is neither"):
        read_networks(f"127.0.0.1, {text}")
