"""How `events` are made of what was landed, as a number, and which days were made in another way."""

from collections.abc import Mapping
from datetime import date
from importlib.metadata import version

from lake.events_table import Definition
from lake.location import Lake
from lake.table_version import DEFINITION, TableVersion
from pipelines.refresh.definition import code_of, number_of
from pipelines.refresh.expired import first_whole_day
from pipelines.reports import clean_events, duplicates

_LIBRARIES = ("ua-parser-builtins",)
"""Installed packages whose data say what is in a row."""

_ZONE = "zone"
_MOVES = "zone_changes"


def definition_of_events(seen: TableVersion, time_zones: Mapping[str, str]) -> Definition:
    """What code, libraries and time zones make of landed events now.

    The table remembers the zone of each site and counts how often one of them was changed: that count is a part of
    the number, so that a new site makes no day another one.
    """
    zones = {f"{_ZONE}/{site}": number_of(zone) for site, zone in time_zones.items()}
    known = seen.transactions
    changed = any(known.get(site, zone) != zone for site, zone in zones.items())
    moves = known.get(_MOVES, 0) + changed
    code = [code_of(module.__name__) for module in (clean_events, duplicates)]
    new = {name: number for name, number in {**zones, _MOVES: moves}.items() if known.get(name) != number}
    return Definition(number_of(*code, *map(version, _LIBRARIES), str(moves)), new)


def outdated_days(lake: Lake, seen: TableVersion, time_zones: Mapping[str, str]) -> set[date]:
    """The days of a version of `events` that a rebuild would make by another definition. Raises LakeAway.

    Days of which raw events may have expired stay as they are.
    """
    number, made_by = definition_of_events(seen, time_zones).number, seen.recorded(DEFINITION)
    outdated = {day for day in seen.revisions if made_by.get(day) != number}
    first = first_whole_day(lake) if outdated else date.min
    return {day for day in outdated if day >= first}
