"""Reading sites.toml: each mistake is told by site, field, rule and value."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

from sites.errors import SitesError
from sites.site import Bots, DoNotTrack, Funnel, Goal, Site
from sites.sites import Sites

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_HOST = 253
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://(?:{_HOST.pattern}|\[[0-9a-f:.]+\])(?::([1-9][0-9]{{0,4}}))?")
_OWN_PORT = {"http": 80, "https": 443}
_HIGHEST_PORT = 65_535
_KEY = re.compile(r"[A-Za-z0-9._~-]{8,200}")
"""A key stands unquoted in an address, a header and Basic authorization, and is too long to be guessed."""
_NO_PARAMETER = re.compile(r"[\s&=#?*]")
_NO_TIME_ZONE = re.compile(r"(posix|right)/.*|localtime|posixrules|Factory")
"""What a system keeps beside the IANA time zones: other programs don't know these, or know others by their names."""
_NO_PROPERTY = re.compile(r'["\\\x00-\x1f]')
"""What would end a name in a JSON path."""
_MOST_DAYS = 36_500
_MOST_FUNNEL_DAYS = 30
"""A funnel's day is made anew as long as its last step may come, and with it all days in between."""
_LONGEST_NAME = 200
_LONGEST_SHOWN = 100

FIELD_OF_KEY = {field.metadata.get("key", field.name): field.name for field in fields(Site)}
"""Which field of Site a key of the TOML table fills."""


def load_sites(path: Path) -> Sites:
    """All sites of a sites.toml; none where the file does not exist. Raises SitesError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Sites([])
    except OSError as error:
        raise SitesError(f"{path}: can't be read: {error.strerror}. The sites known before stay in use.") from error
    # No TOML, no UTF-8, a number of more digits than are read, or lists in lists without end.
    except (ValueError, RecursionError) as error:
        raise SitesError(
            f"{path}: not valid TOML: {error}. Mend the file; the sites known before stay in use."
        ) from error
    return Sites(parse_sites(document, str(path)))


def parse_sites(document: Mapping[str, Any], where: str) -> list[Site]:
    """The sites of a parsed sites.toml: one `[[site]]` table each. Raises SitesError."""
    unknown = set(document) - {"site"}
    if unknown:
        raise SitesError(f"{where}: unknown table {_shown(min(unknown))}; each site is one [[site]] table.")
    sites = [_site(table, where) for table in _tables(document.get("site", []), where, "site")]
    _require_unique(where, "domain", (site.domain for site in sites))
    _require_keys_apart(where, sites)
    return sites


def _site(table: Mapping[str, Any], where: str) -> Site:
    place = f"{where}: site {_shown(table.get('domain', '(without domain)'))}"
    _require_known(table, place, FIELD_OF_KEY)
    goals = tuple(_goal(goal, place) for goal in _tables(table.get("goal", []), place, "goal"))
    names = [goal.name for goal in goals]
    _require_unique(place, "goal", names)
    funnels = tuple(_funnel(funnel, place, names) for funnel in _tables(table.get("funnel", []), place, "funnel"))
    _require_unique(place, "funnel", (funnel.name for funnel in funnels))
    return Site(
        domain=_domain(table.get("domain"), place),
        write_keys=_keys(table, place, "write_key"),
        server_keys=_keys(table, place, "server_key"),
        time_zone=_time_zone(table.get("time_zone", "UTC"), place),
        origins=tuple(_origin(origin, place) for origin in _texts(table.get("origins", []), place, "origins")),
        rate_limit=_whole(table["rate_limit"], place, "rate_limit", 10**9) if "rate_limit" in table else None,
        oldest_days=_whole(table.get("oldest_days", 90), place, "oldest_days", _MOST_DAYS),
        do_not_track=cast(
            DoNotTrack, _one_of(table.get("do_not_track", "anonymous"), place, "do_not_track", get_args(DoNotTrack))
        ),
        bots=cast(Bots, _one_of(table.get("bots", "label"), place, "bots", get_args(Bots))),
        query_parameters=tuple(
            _parameter(name, place) for name in _texts(table.get("query_parameters", []), place, "query_parameters")
        ),
        goals=goals,
        funnels=funnels,
    )


def _goal(table: Mapping[str, Any], place: str) -> Goal:
    _require_known(table, f"{place}: goal", {"name", "action", "page", "properties"})
    name = _text(table.get("name"), place, "goal name")
    place = f"{place}: goal {_shown(name)}"
    if ("action" in table) == ("page" in table):
        raise SitesError(f"{place}: needs either action or page.")
    properties = table.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise SitesError(f"{place}: properties {_shown(properties)} must be a table of texts such as {{plan = 'pro'}}.")
    if unfit := [name for name in properties if not name or _NO_PROPERTY.search(name)]:
        raise SitesError(f"{place}: the property {_shown(unfit[0])} can't be asked for: it is empty or has a \" or \\.")
    page = _text(table["page"], place, "page") if "page" in table else None
    if page is not None and (not page.startswith(("/", "*")) or "?" in page or "#" in page):
        raise SitesError(f"{place}: page {_shown(page)} must be a path such as /thanks or /shop/**, without a query.")
    action = _text(table["action"], place, "action") if "action" in table else None
    return Goal(name, action, page, tuple(sorted(properties.items())))


def _funnel(table: Mapping[str, Any], place: str, goals: Sequence[str]) -> Funnel:
    _require_known(table, f"{place}: funnel", {"name", "steps", "window_days"})
    name = _text(table.get("name"), place, "funnel name")
    place = f"{place}: funnel {_shown(name)}"
    steps = _texts(table.get("steps"), place, "steps")
    if len(steps) < 2:
        raise SitesError(f"{place}: steps {_shown(list(steps))} must name at least two goals.")
    for step in steps:
        if step not in goals:
            raise SitesError(f"{place}: steps names {_shown(step)}, which is no goal of the site.")
    return Funnel(name, steps, _whole(table.get("window_days", 7), place, "window_days", _MOST_FUNNEL_DAYS))


def _tables(value: object, place: str, name: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise SitesError(
            f"{place}: write each {name} as a table of its own: [[{'' if name == 'site' else 'site.'}{name}]]."
        )
    return value


def _text(value: object, place: str, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise SitesError(f"{place}: {name} {_shown(value)} must be a text of 1 to {_LONGEST_NAME} characters.")
    return value


def _texts(value: object, place: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SitesError(f"{place}: {name} {_shown(value)} must be a list of texts.")
    return tuple(_text(each, place, f"each of {name}") for each in value)


def _domain(value: object, place: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_HOST or _HOST.fullmatch(value) is None:
        raise SitesError(
            f"{place}: domain must be a host name in lower case such as example.com, without port or path."
        )
    return value


def _keys(table: Mapping[str, Any], place: str, name: str) -> tuple[str, ...]:
    value = table.get(name)
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        # A key may be a secret, so it is not shown.
        raise SitesError(
            f"{place}: {name} must be a text of 8 to 200 letters, digits, -, _, . and ~, or a list of such texts."
        )
    return tuple(keys)


def _time_zone(value: object, place: str) -> str:
    try:
        ZoneInfo(cast(str, value))
        fits = _NO_TIME_ZONE.fullmatch(cast(str, value)) is None
    except (TypeError, ValueError, OSError, KeyError):
        fits = False
    if not fits:
        raise SitesError(f"{place}: time_zone {_shown(value)} is not an IANA time zone such as Europe/Berlin.")
    return cast(str, value)


def _origin(value: str, place: str) -> str:
    parts = _ORIGIN.fullmatch(value)
    port = parts and parts[2] and int(parts[2])
    if parts is None or (port and (port > _HIGHEST_PORT or port == _OWN_PORT.get(parts[1]))):
        raise SitesError(
            f"{place}: origins names {_shown(value)}; an origin is scheme and host in lower case, with the port where "
            "it is not the scheme's own, and nothing else: https://example.com or http://localhost:5173."
        )
    return value


def _parameter(value: str, place: str) -> str:
    if _NO_PARAMETER.search(value):
        raise SitesError(
            f"{place}: query_parameters names {_shown(value)}; write the name alone, as it stands in an address."
        )
    return value.lower()


def _whole(value: object, place: str, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise SitesError(f"{place}: {name} {_shown(value)} must be a whole number from 1 to {most}.")
    return value


def _one_of(value: object, place: str, name: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise SitesError(f"{place}: {name} {_shown(value)} must be one of {', '.join(choices)}.")
    return cast(str, value)


def _require_known(table: Mapping[str, Any], place: str, known: Iterable[str]) -> None:
    unknown = set(table) - set(known)
    if unknown:
        raise SitesError(f"{place}: unknown setting {_shown(min(unknown))}.")


def _require_unique(place: str, name: str, values: Iterable[str]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise SitesError(f"{place}: the {name} {_shown(value)} is used twice; each needs its own.")
        seen.add(value)


def _require_keys_apart(where: str, sites: Iterable[Site]) -> None:
    """A key may be a secret, so only the sites that it clashes in are told."""
    owner: dict[str, str] = {}
    for site in sites:
        for key in (*site.write_keys, *site.server_keys):
            if key in owner:
                raise SitesError(
                    f"{where}: site {site.domain!r}: a key of it is used twice, also by site {owner[key]!r}; "
                    "each key stands in one place."
                )
            owner[key] = site.domain


def _shown(value: object) -> str:
    """A value as sentences name it: bounded, whatever a file holds."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "(too long to be shown)"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
