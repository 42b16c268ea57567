"""Reading sites.toml: each mistake is told by site, field, rule and value."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sites.errors import SitesError
from sites.site import Bots, DoNotTrack, Funnel, Goal, Site
from sites.sites import Sites

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_MOST_DAYS = 36_500
_LONGEST_NAME = 200

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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SitesError(
            f"{path}: not valid TOML: {error}. Mend the file; the sites known before stay in use."
        ) from error
    return Sites(parse_sites(document, str(path)))


def parse_sites(document: Mapping[str, Any], where: str) -> list[Site]:
    """The sites of a parsed sites.toml: one `[[site]]` table each. Raises SitesError."""
    unknown = set(document) - {"site"}
    if unknown:
        raise SitesError(f"{where}: unknown table {sorted(unknown)[0]!r}; each site is one [[site]] table.")
    sites = [_site(table, where) for table in _tables(document.get("site", []), where, "site")]
    _require_unique(where, "domain", (site.domain for site in sites))
    # A key is a secret, so only the kind of the clash is told.
    _require_unique(where, "key", (key for site in sites for key in (*site.write_keys, *site.server_keys)))
    return sites


def _site(table: Mapping[str, Any], where: str) -> Site:
    place = f"{where}: site {table.get('domain', '(without domain)')!r}"
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
            name.lower() for name in _texts(table.get("query_parameters", []), place, "query_parameters")
        ),
        goals=goals,
        funnels=funnels,
    )


def _goal(table: Mapping[str, Any], place: str) -> Goal:
    _require_known(table, f"{place}: goal", {"name", "action", "page", "properties"})
    name = _text(table.get("name"), place, "goal name")
    place = f"{place}: goal {name!r}"
    if ("action" in table) == ("page" in table):
        raise SitesError(f"{place}: needs either action or page.")
    properties = table.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise SitesError(f"{place}: properties must be a table of texts such as {{plan = 'pro'}}.")
    page = _text(table["page"], place, "page") if "page" in table else None
    if page is not None and not page.startswith(("/", "*")):
        raise SitesError(f"{place}: page {page!r} must be a path such as /thanks or /shop/**.")
    action = _text(table["action"], place, "action") if "action" in table else None
    return Goal(name, action, page, tuple(sorted(properties.items())))


def _funnel(table: Mapping[str, Any], place: str, goals: Sequence[str]) -> Funnel:
    _require_known(table, f"{place}: funnel", {"name", "steps", "window_days"})
    name = _text(table.get("name"), place, "funnel name")
    place = f"{place}: funnel {name!r}"
    steps = _texts(table.get("steps"), place, "steps")
    if len(steps) < 2:
        raise SitesError(f"{place}: steps must name at least two goals.")
    for step in steps:
        if step not in goals:
            raise SitesError(f"{place}: steps names {step!r}, which is no goal of the site.")
    return Funnel(name, steps, _whole(table.get("window_days", 7), place, "window_days", 366))


def _tables(value: object, place: str, name: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise SitesError(
            f"{place}: write each {name} as a table of its own: [[{'' if name == 'site' else 'site.'}{name}]]."
        )
    return value


def _text(value: object, place: str, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise SitesError(f"{place}: {name} must be a text of 1 to {_LONGEST_NAME} characters.")
    return value


def _texts(value: object, place: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SitesError(f"{place}: {name} must be a list of texts.")
    return tuple(_text(each, place, f"each of {name}") for each in value)


def _domain(value: object, place: str) -> str:
    if not isinstance(value, str) or _HOST.fullmatch(value) is None:
        raise SitesError(
            f"{place}: domain must be a host name in lower case such as example.com, without port or path."
        )
    return value


def _keys(table: Mapping[str, Any], place: str, name: str) -> tuple[str, ...]:
    value = table.get(name)
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
        raise SitesError(f"{place}: {name} must be a text that is not empty, or a list of such texts.")
    return tuple(keys)


def _time_zone(value: object, place: str) -> str:
    try:
        ZoneInfo(cast(str, value))
    except (TypeError, ValueError, OSError, KeyError) as error:
        raise SitesError(f"{place}: time_zone {value!r} is not an IANA time zone such as Europe/Berlin.") from error
    return cast(str, value)


def _origin(value: str, place: str) -> str:
    try:
        parts = urlsplit(value)
        fits = bool(parts.scheme and parts.hostname) and value == f"{parts.scheme}://{parts.netloc}".lower()
    except ValueError:
        fits = False
    if not fits:
        raise SitesError(
            f"{place}: origins names {value!r}; an origin is scheme and host in lower case, without a path, "
            "such as https://example.com."
        )
    return value


def _whole(value: object, place: str, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise SitesError(f"{place}: {name} {value!r} must be a whole number from 1 to {most}.")
    return value


def _one_of(value: object, place: str, name: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise SitesError(f"{place}: {name} {value!r} must be one of {', '.join(choices)}.")
    return cast(str, value)


def _require_known(table: Mapping[str, Any], place: str, known: Iterable[str]) -> None:
    unknown = set(table) - set(known)
    if unknown:
        raise SitesError(f"{place}: unknown setting {sorted(unknown)[0]!r}.")


def _require_unique(place: str, name: str, values: Iterable[str]) -> None:
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise SitesError(f"{place}: the same {name} is used twice; each needs its own.")
