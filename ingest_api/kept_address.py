"""What is kept of a web address: neither names and passwords, nor the query but for campaigns, nor the fragment."""

from collections.abc import Collection

CLICK_IDS = frozenset(
    {
        "dclid",
        "epik",
        "fbclid",
        "gbraid",
        "gclid",
        "li_fat_id",
        "msclkid",
        "rdt_cid",
        "ttclid",
        "twclid",
        "wbraid",
        "yclid",
    }
)
"""Parameters by which advertising networks tell that a visitor came from them."""


def kept_address(url: str, also: Collection[str] = ()) -> str:
    """The address without what may be private. `also` names the query parameters that a site keeps besides."""
    kept, _, _ = url.partition("#")
    address, mark, query = kept.partition("?")
    if "@" in address:
        address = _without_user(address)
    if mark:
        parameters = "&".join(parameter for parameter in query.split("&") if _is_kept(parameter, also))
        return f"{address}?{parameters}" if parameters else address
    return address


def path_of(address: str) -> str:
    """The path of an address as `kept_address` answers it."""
    address, _, _ = address.partition("?")
    _, mark, after_scheme = address.partition("://")
    if not mark:
        return address or "/"
    _, slash, path = after_scheme.partition("/")
    return slash + path or "/"


def _is_kept(parameter: str, also: Collection[str]) -> bool:
    name = parameter.partition("=")[0].lower()
    return name.startswith("utm_") or name == "ref" or name in CLICK_IDS or name in also


def _without_user(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
