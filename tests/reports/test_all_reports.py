"""The reports of this project and of installed packages, in the order they are built."""

from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from pipelines.reports.all_reports import ENTRY_POINT_GROUP, REPORTS, load_reports
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.errors import BadReport
from pipelines.reports.report import LANDED
from pipelines.reports.sources import SOURCES
from pipelines.reports.window import Window

OTHER = replace(SOURCES, spec=replace(SOURCES.spec, name="other"))
TAKEN = SOURCES
CAPITALS = replace(SOURCES, spec=replace(SOURCES.spec, name="../Other"))
UNKNOWN_INPUT = replace(OTHER, inputs=("events", "nowhere"))
ABOVE = replace(OTHER, spec=replace(OTHER.spec, name="above"), inputs=("sessions", "other", "site_goals"))
CIRCLE = replace(OTHER, inputs=("above",))
BY_LANDING = replace(OTHER, inputs=("sessions",), window=Window(of_landing=True))
LANDED_BY_DAY = replace(OTHER, inputs=("raw_events",))
NO_INPUT = replace(OTHER, inputs=())
KEY_WITHOUT_COLUMN = replace(OTHER, spec=replace(OTHER.spec, key=("site", "date", "campaign")))
PARTITION_NO_DATE = replace(OTHER, spec=replace(OTHER.spec, partition_by="site"))
NO_REPORT = "sources"


class Loaded(EntryPoint):
    """An entry point of this module, which the importer may know under another name."""

    def load(self) -> Any:
        return globals()[self.attr]


def test_each_report_comes_after_its_inputs() -> None:
    known = {EVENTS.name, *LANDED}
    for report in REPORTS:
        assert set(report.tables) <= known
        known.add(report.name)


def test_each_report_says_what_its_columns_mean() -> None:
    for spec in (EVENTS, *(report.spec for report in REPORTS)):
        assert spec.description
        assert all(column.meaning for column in spec.columns)
        assert {spec.partition_by, *spec.key} <= set(spec.schema)
        assert spec.partition_by in spec.key


def test_without_other_packages_the_reports_are_our_own() -> None:
    assert load_reports([]) == REPORTS
    assert load_reports() == REPORTS


def test_a_report_of_another_package_comes_last() -> None:
    assert load_reports([Loaded("mine", f"{__name__}:OTHER", ENTRY_POINT_GROUP)]) == (*REPORTS, OTHER)


def test_reports_of_other_packages_may_be_built_from_each_other() -> None:
    entries = [Loaded(name, f"{__name__}:{name}", ENTRY_POINT_GROUP) for name in ("ABOVE", "OTHER")]
    assert load_reports(entries) == (*REPORTS, OTHER, ABOVE)


def test_reports_that_are_built_from_each_other_in_a_circle_are_refused() -> None:
    entries = [Loaded(name, f"{__name__}:{name}", ENTRY_POINT_GROUP) for name in ("ABOVE", "CIRCLE")]
    with pytest.raises(BadReport, match="its input 'other' is no table, or is built from it"):
        load_reports(entries)


@pytest.mark.parametrize(
    ("attribute", "fault"),
    [
        ("TAKEN", "there already is a table 'sources'"),
        ("CAPITALS", "the name '../Other' is not of small letters, digits and _"),
        ("UNKNOWN_INPUT", "its input 'nowhere' is no table, or is built from it"),
        ("LANDED_BY_DAY", "its input 'raw_events' is no table, or is built from it"),
        (
            "BY_LANDING",
            "its inputs are ('sessions',), and by day of landing there are events, raw_events and dead_letters only",
        ),
        ("NO_INPUT", "its inputs are (), no table among them"),
        ("KEY_WITHOUT_COLUMN", "its columns lack 'campaign', which its key or partition names"),
        ("PARTITION_NO_DATE", "its partition column 'site' is not a date"),
        ("NO_REPORT", "it is a str, not a pipelines.reports.report.Report"),
        ("MISSING", "it can't be loaded: KeyError: 'MISSING'"),
    ],
)
def test_a_bad_report_of_another_package_is_named_with_its_fault(attribute: str, fault: str) -> None:
    bad = Loaded("mine", f"{__name__}:{attribute}", ENTRY_POINT_GROUP)
    with pytest.raises(BadReport) as caught:
        load_reports([bad])
    assert str(caught.value) == (
        f"The entry point mine = '{__name__}:{attribute}' in the group logektor.reports is no report: {fault}. "
        "Mend the package or uninstall it."
    )
