"""A site, as sites.toml declares it."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

DoNotTrack = Literal["anonymous", "drop", "ignore"]
Bots = Literal["label", "drop"]


@dataclass(frozen=True)
class Goal:
    """What a site wants its visitors to do: an action, or a view of a page; exactly one of the two."""

    name: str = field(metadata={"says": "its name in reports; unique on the site"})
    action: str | None = field(default=None, metadata={"says": "the action that reaches it, such as `signup`"})
    page: str | None = field(
        default=None,
        metadata={
            "says": "the path, without query, whose view reaches it: `*` stands for any part of it without a slash, "
            "`**` for anything"
        },
    )
    properties: tuple[tuple[str, str], ...] = field(
        default=(), metadata={"says": "properties that the event must have too, each equal as a text"}
    )


@dataclass(frozen=True)
class Funnel:
    """Goals that a visitor reaches one after the other."""

    name: str = field(metadata={"says": "its name in reports; unique on the site"})
    steps: tuple[str, ...] = field(metadata={"says": "names of at least two goals of the site, in their order"})
    window_days: int = field(
        default=7, metadata={"says": "days within which the last step must follow the first, at most 30"}
    )


@dataclass(frozen=True)
class Site:
    """One site. What each field means is said in its metadata; docs/sites.md is made of it."""

    domain: str = field(
        metadata={"says": "the site's host name in lower case; its pages and those of its subdomains may send events"}
    )
    write_keys: tuple[str, ...] = field(
        metadata={
            "key": "write_key",
            "type": "text, or list of texts",
            "says": "public, may stand in a page: writes events of this site",
        }
    )
    server_keys: tuple[str, ...] = field(
        metadata={
            "key": "server_key",
            "type": "text, or list of texts",
            "says": "secret, for servers and the log import: may also say `clientIp` and `userAgent`, and write "
            "history",
        }
    )
    time_zone: str = field(default="UTC", metadata={"says": "IANA time zone; the site's days begin there at midnight"})
    origins: tuple[str, ...] = field(
        default=(), metadata={"says": "web origins, such as `https://shop.example`, allowed besides the domain itself"}
    )
    rate_limit: int | None = field(
        default=None,
        metadata={"says": "most events a second that one collector takes; past it the answer is 429. Absent: no limit"},
    )
    oldest_days: int = field(
        default=90,
        metadata={"says": "an event that says it is older happened when it was received, unless the key is secret"},
    )
    do_not_track: DoNotTrack = field(
        default="anonymous",
        metadata={
            "says": "events of who sends DNT or Sec-GPC: `anonymous` counts them without visitor and User-Agent, "
            "`drop` stores nothing, `ignore` takes them as any other"
        },
    )
    bots: Bots = field(
        default="label",
        metadata={
            "says": "events of programs that say so in their User-Agent: `label` stores them and reports them apart, "
            "`drop` stores nothing"
        },
    )
    query_parameters: tuple[str, ...] = field(
        default=(),
        metadata={"says": "names kept of a page's query besides `utm_*`, `ref` and click ids"},
    )
    goals: tuple[Goal, ...] = field(default=(), metadata={"key": "goal", "says": "`[[site.goal]]` tables, see below"})
    funnels: tuple[Funnel, ...] = field(
        default=(), metadata={"key": "funnel", "says": "`[[site.funnel]]` tables, see below"}
    )

    @property
    def write_key(self) -> str:
        """The first, which the snippet names."""
        return self.write_keys[0]

    @property
    def server_key(self) -> str:
        """The first."""
        return self.server_keys[0]

    def allows(self, origin: str) -> bool:
        """Whether a page of this web origin may send this site's events; localhost is also 127.0.0.1, on any port."""
        if origin in self.origins:
            return True
        host = host_of(origin)
        return (
            host == self.domain
            or host.endswith("." + self.domain)
            or (self.domain == "localhost" and host == "127.0.0.1")
        )


_LONGEST_ORIGIN = 300
"""Longer than the longest DNS name with scheme and port; anybody may send an Origin of any length."""


def host_of(origin: str) -> str:
    """The host of a web origin; the empty text where it is none."""
    return _parsed_host(origin) if len(origin) <= _LONGEST_ORIGIN else ""


@lru_cache(1024)
def _parsed_host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def origin_of_page(address: str) -> str | None:
    """The web origin of a page's address; None where it has none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None
