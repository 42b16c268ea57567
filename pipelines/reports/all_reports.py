"""All reports in the order they are built: this project's, then those that other packages bring."""

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import polars as pl

from pipelines.reports.actions import ACTIONS
from pipelines.reports.campaigns import CAMPAIGNS
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.dead_letters_daily import DEAD_LETTERS_DAILY
from pipelines.reports.devices import DEVICES
from pipelines.reports.entry_pages import ENTRY_PAGES
from pipelines.reports.errors import BadReport
from pipelines.reports.exit_pages import EXIT_PAGES
from pipelines.reports.funnels import FUNNELS
from pipelines.reports.goals import GOALS
from pipelines.reports.hits import HITS
from pipelines.reports.languages import LANGUAGES
from pipelines.reports.locations import LOCATIONS
from pipelines.reports.pages import PAGES
from pipelines.reports.people_daily import PEOPLE_DAILY
from pipelines.reports.people_weekly import PEOPLE_WEEKLY
from pipelines.reports.quality import QUALITY
from pipelines.reports.report import LANDED, SETTINGS, Report
from pipelines.reports.retention import RETENTION
from pipelines.reports.sessions import SESSIONS
from pipelines.reports.sources import SOURCES
from pipelines.reports.top_subjects import TOP_SUBJECTS
from pipelines.reports.traffic import TRAFFIC
from pipelines.reports.traffic_hourly import TRAFFIC_HOURLY
from pipelines.reports.visitors import VISITORS_MONTHLY, VISITORS_WEEKLY

_DAYS = (SESSIONS, TRAFFIC, TRAFFIC_HOURLY, PAGES, ENTRY_PAGES, EXIT_PAGES, SOURCES, CAMPAIGNS)
_VISITORS = (LOCATIONS, LANGUAGES, DEVICES)
_ACTIONS = (ACTIONS, TOP_SUBJECTS)
_PEOPLE = (PEOPLE_DAILY, PEOPLE_WEEKLY, VISITORS_WEEKLY, VISITORS_MONTHLY, RETENTION)
_GOALS = (CONVERSIONS, GOALS, FUNNELS)
_QUERIES = (HITS,)
_LANDING = (QUALITY, DEAD_LETTERS_DAILY)

REPORTS = (*_DAYS, *_VISITORS, *_ACTIONS, *_PEOPLE, *_GOALS, *_QUERIES, *_LANDING)

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
        entry, report = next((each for each in waiting if _missing(each[1], tables) == set()), waiting[0])
        if missing := _missing(report, tables):
            raise BadReport(entry, f"its input {min(missing)!r} is no table, or is built from it")
        waiting.remove((entry, report))
        tables.add(report.name)
        reports.append(report)
    return tuple(reports)


def _missing(report: Report, tables: set[str]) -> set[str]:
    """The inputs of a report that are not among some tables. What was landed is there by day of landing only."""
    return {*report.tables} - (tables | {*LANDED} if report.window.of_landing else tables)


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
    if report.window.of_landing and not {*report.tables} <= {EVENTS.name, *LANDED}:
        return f"its inputs are {report.inputs!r}, and by day of landing there are events, {' and '.join(LANDED)} only"
    if not report.tables:
        return f"its inputs are {report.inputs!r}, no table among them"
    missing = {spec.partition_by, *spec.key} - set(spec.schema)
    if missing:
        return f"its columns lack {sorted(missing)[0]!r}, which its key or partition names"
    if spec.schema[spec.partition_by] != pl.Date():
        return f"its partition column {spec.partition_by!r} is not a date"
    return None
