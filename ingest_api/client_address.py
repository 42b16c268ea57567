"""Whose request it is: the peer's address, or what proxies that are trusted say of it."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]


def read_networks(text: str) -> Networks:
    """Addresses and networks in CIDR notation, separated by commas. Raises ValueError with a sentence."""
    networks = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError:
            raise ValueError(f"{part!r} is neither an IP address nor a network such as 10.0.0.0/8") from None
    return tuple(networks)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Networks) -> str:
    """The client's address without port and brackets; IPv4 within IPv6 is IPv4.

    `peer` is where the connection comes from, as the server says it. `forwarded_for` is each X-Forwarded-For header in
    the order they came in; a proxy adds whom it saw at the end. They are believed only as far as trusted proxies said
    it: from the right, up to the first address that is no trusted proxy, or to what is no address.
    """
    if not trusted or not forwarded_for:
        return _host(peer)
    address = _parsed(peer)
    if address is None:
        return _host(peer)
    for entry in reversed(",".join(forwarded_for).split(",")):
        if not _is_trusted(address, trusted):
            break
        before = _parsed(entry.strip())
        if before is None:
            break
        address = before
    return str(address)


def _host(peer: str) -> str:
    """What every request needs where nobody is trusted: IPv4, the usual case, is not parsed."""
    host, _, _ = peer.partition(":")
    if "." in host:
        return host
    address = _parsed(peer)
    return str(address) if address is not None else peer


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # A zone such as %eth0 says something of the proxy's host, nothing of the client.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)
