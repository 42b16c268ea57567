"""Whose request it is: the peer's address, or what proxies that are trusted say of it."""

from collections.abc import Sequence
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

_IPV4_WITHIN_IPV6 = bytes(10) + b"\xff\xff"


class Network(NamedTuple):
    """A network of IP addresses, as numbers: each is `size` bytes long. ipaddress would take ten times as long."""

    size: int
    mask: int
    base: int


def read_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks in CIDR notation, separated by commas. Raises ValueError with a sentence."""
    networks = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            network = ip_network(part)
        except ValueError:
            raise ValueError(f"{part!r} is neither an IP address nor a network such as 10.0.0.0/8") from None
        networks.append(Network(network.max_prefixlen // 8, int(network.netmask), int(network.network_address)))
    return tuple(networks)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client's address without port and brackets; IPv4 within IPv6 is IPv4.

    `peer` is where the connection comes from, as the server says it. `forwarded_for` is each X-Forwarded-For header in
    the order they came in; a proxy adds whom it saw at the end. They are believed only as far as trusted proxies said
    it: from the right, up to the first address that is no trusted proxy, or to what is no address.
    """
    if not trusted or not forwarded_for:
        return _host(peer)
    address = _packed(peer)
    if address is None:
        return _host(peer)
    for entry in reversed(",".join(forwarded_for).split(",")):
        if not _is_trusted(address, trusted):
            break
        before = _packed(entry.strip())
        if before is None:
            break
        address = before
    return _text(address)


def _host(peer: str) -> str:
    """What every request needs where nobody is trusted: IPv4, the usual case, is not parsed."""
    host, _, _ = peer.partition(":")
    if "." in host:
        return host
    address = _packed(peer)
    return _text(address) if address is not None else peer


def _packed(text: str) -> bytes | None:
    """4 or 16 bytes, or None where it is no address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        if ":" not in text:
            return inet_pton(AF_INET, text)
        # A zone such as %eth0 says something of the proxy's host, nothing of the client.
        address = inet_pton(AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return None
    return address[12:] if address.startswith(_IPV4_WITHIN_IPV6) else address


def _text(address: bytes) -> str:
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


def _is_trusted(address: bytes, trusted: Sequence[Network]) -> bool:
    size, number = len(address), int.from_bytes(address)
    return any(network.size == size and number & network.mask == network.base for network in trusted)
