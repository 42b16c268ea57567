"""The tables of days by name: clean events, sessions and all reports, in the order they are built."""

from collections.abc import Mapping

from lake.table_spec import TableSpec
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS


def all_tables() -> Mapping[str, TableSpec]:
    """Definition by name. Raises BadReport."""
    return {spec.name: spec for spec in (EVENTS, *(report.spec for report in load_reports()))}
