"""All reports in the order they are built: this project's, then those that other packages bring."""

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import polars as pl

from pipelines.reports.actions import ACTIONS
from pipelines.reports.campaigns import CAMPAIGNS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.devices import DEVICES
from pipelines.reports.entry_pages import ENTRY_PAGES
from pipelines.reports.errors import BadReport
from pipelines.reports.exit_pages import EXIT_PAGES
from pipelines.reports.languages import LANGUAGES
from pipelines.reports.locations import LOCATIONS
from pipelines.reports.pages import PAGES
from pipelines.reports.report import SETTINGS, Report
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.sources import SOURCES
from pipelines.reports.top_subjects import TOP_SUBJECTS
from pipelines.reports.traffic import TRAFFIC
from pipelines.reports.traffic_hourly import TRAFFIC_HOURLY

_DAYS = (SESSIONS, TRAFFIC, TRAFFIC_HOURLY, PAGES, ENTRY_PAGES, EXIT_PAGES, SOURCES, CAMPAIGNS)
_VISITORS = (LOCATIONS, LANGUAGES, DEVICES)
_ACTIONS = (ACTIONS, TOP_SUBJECTS)

REPORTS = (*_DAYS, *_VISITORS, *_ACTIONS)

ENTRY_POINT_GROUP = "logektor.reports"


def load_reports(found: Iterable[EntryPoint] | None = None) -> tuple[Report, ...]:
    """REPORTS and the reports of installed packages, each after its inputs and else by name. Raises BadReport.

    An entry point of the group `logektor.reports` names a Report; `found` stands for the installed ones.
    """
    reports = list(REPORTS)
    tables = {EVENTS.name, *(report.name for report in reports)}
    entries = entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    waiting: list[tuple[EntryPoint, Report]] = []
    for entry in sorted(entries, key=lambda entry: (entry.name, entry.value)):
        report = _load(entry, tables | {other.name for _, other in waiting})
        waiting.append((entry, report))
    while waiting:
        entry, report = next((each for each in waiting if tables >= {*each[1].tables}), waiting[0])
        if missing := {*report.tables} - tables:
            raise BadReport(entry, f"its input {min(missing)!r} is no table, or is built from it")
        waiting.remove((entry, report))
        tables.add(report.name)
        reports.append(report)
    return tuple(reports)


def _load(entry: EntryPoint, taken: set[str]) -> Report:
    try:
        report = entry.load()
    except Exception as error:
        raise BadReport(entry, f"it can't be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(report, Report):
        raise BadReport(entry, f"it is a {type(report).__name__}, not a pipelines.reports.report.Report")
    if fault := _fault(report, taken):
        raise BadReport(entry, fault)
    return report


def _fault(report: Report, taken: set[str]) -> str | None:
    """What is wrong with a report of another package; None where nothing is."""
    spec = report.spec
    if not re.fullmatch(r"[a-z][a-z0-9_]*", report.name):
        return f"the name {report.name!r} is not of small letters, digits and _"
    if report.name in taken or report.name in SETTINGS:
        return f"there already is a table {report.name!r}"
    if not report.tables:
        return f"its inputs are {report.inputs!r}, no table among them"
    missing = {spec.partition_by, *spec.key} - set(spec.schema)
    if missing:
        return f"its columns lack {sorted(missing)[0]!r}, which its key or partition names"
    if spec.schema[spec.partition_by] != pl.Date():
        return f"its partition column {spec.partition_by!r} is not a date"
    return None
