"""Search engines, social networks and the like, by the hosts and campaign names they are known under."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_COUNTRY_ENDINGS = 2
"""google.* is google.de and google.co.uk: up to two last labels, each of two or three letters."""


@dataclass(frozen=True)
class KnownSource:
    """A source of visitors; `kind`: search, social, video, email, ai or shopping."""

    name: str
    kind: str
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()


def find_host(host: str) -> KnownSource | None:
    """The known source that a referrer's host belongs to, the closest where several fit."""
    return next(filter(None, map(_by_host().get, _patterns(host))), None)


def find_name(name: str) -> KnownSource | None:
    """The known source that a utm_source or ref means: its name, an alias or a host."""
    lowered = name.lower()
    return _by_name().get(lowered) or find_host(lowered)


def _patterns(host: str) -> Iterator[str]:
    """The entries of the list that a host would fit, the closest first."""
    labels = host.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
        ending = labels[start + 1 :]
        if len(ending) <= _COUNTRY_ENDINGS and all(2 <= len(label) <= 3 for label in ending):
            yield f"{labels[start]}.*"


@cache
def _known() -> tuple[KnownSource, ...]:
    text = Path(__file__).with_name("known_sources.toml").read_text(encoding="utf-8")
    return tuple(
        KnownSource(entry["name"], entry["kind"], tuple(entry["hosts"]), tuple(entry.get("aliases", ())))
        for entry in tomllib.loads(text)["source"]
    )


@cache
def _by_host() -> dict[str, KnownSource]:
    return {host: source for source in _known() for host in source.hosts}


@cache
def _by_name() -> dict[str, KnownSource]:
    return {name: source for source in _known() for name in (source.name.lower(), *source.aliases)}
