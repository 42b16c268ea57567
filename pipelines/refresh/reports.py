"""A report's table: builds its partitions from the tables it is made of, where those or its definition have changed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from functools import partial

from lake.errors import TableConflict
from lake.location import Lake
from lake.parquet_files import update_parquet_files
from lake.report_table import ReportTable
from lake.table_metadata import is_report
from lake.table_version import DEFINITION, INPUTS, Origin, TableVersion
from pipelines.refresh.definition import captured_by, code_of, number_of
from pipelines.refresh.input import Input
from pipelines.refresh.inputs import Opened
from pipelines.refresh.site_frames import settings_of
from pipelines.refresh.slices import build_slice, days_of, slices
from pipelines.reports.report import Report
from pipelines.reports.window import Window
from sites import Site

STEP = 1_000_000
"""About how many rows of inputs are read at once to build several partitions: bounds memory."""

_ATTEMPTS = 10


@dataclass(frozen=True)
class Stale:
    """The partitions that would be others today: of newer inputs, or of the same ones by another definition."""

    new: Set[date]
    outdated: Set[date]

    @property
    def all(self) -> Set[date]:
        """Both."""
        return self.new | self.outdated


def stale_partitions(report: Report, opened: Opened) -> Stale:
    """The partitions of a report that are to be built. Costs no more than the logs of the tables. Raises LakeAway."""
    return _stale(opened.table(report.spec), _origins(report, opened))


def build(
    lake: Lake, report: Report, days: Collection[date] | None, rebuild: bool = False, sites: Iterable[Site] = ()
) -> set[date]:
    """Builds the partitions that these days have a part in, or all with None; answers which.

    Those that are not stale are built only with `rebuild`. Raises TableConflict where others keep building the same
    ones, and LakeAway.
    """
    table = ReportTable(lake, report.spec)
    table.declare()
    touched = None if days is None else {part for day in days for part in report.window.partitions(day)}
    built: set[date] = set()
    for attempt in range(_ATTEMPTS):
        try:
            for partitions in _build(table, report, Opened(lake, sites), touched, built, rebuild):
                built |= partitions
            break
        except TableConflict:
            if attempt == _ATTEMPTS - 1:
                raise
    if is_report(report.spec):
        update_parquet_files(lake, report.spec)
    return built


def _build(
    table: ReportTable, report: Report, opened: Opened, touched: Set[date] | None, built: Set[date], rebuild: bool
) -> Iterator[Set[date]]:
    """Builds partitions that are not built yet and yields them, some at a time."""
    # Before the inputs: see ReportTable.replace.
    seen = table.read()
    inputs = opened.inputs(report)
    origins = _origins(report, opened)
    wanted = (origins.keys() if rebuild else _stale(seen, origins).all) - built
    if touched is not None:
        wanted &= touched
    for partitions in _groups(sorted(wanted), inputs, report.window):
        parts = slices(report, inputs, days_of(report, partitions))
        rows = (build_slice(report, inputs, partitions, part) for part in parts)
        table.replace(seen, {partition: origins[partition] for partition in partitions}, rows)
        yield set(partitions)


def _origins(report: Report, opened: Opened) -> Mapping[date, Origin]:
    """What each partition that has any input would be built from now."""
    inputs = opened.inputs(report)
    revisions = [source.revisions for source in inputs]
    definition = definition_of(report, opened.sites)
    partitions = {report.window.start(day) for source in revisions for day in source}
    return {day: Origin(_inputs_number(report.window, revisions, day), definition) for day in partitions}


def definition_of(report: Report, sites: Iterable[Site]) -> int:
    """The number of a report's definition: its code, and what it uses of sites.toml."""
    build = report.build.func if isinstance(report.build, partial) else report.build
    made_of = (code_of(build.__module__), captured_by(report.build), str((report.inputs, report.window)))
    return number_of(*made_of, *settings_of(report, sites))


def _inputs_number(window: Window, revisions: Sequence[Mapping[date, int]], partition: date) -> int:
    """A number for the revisions of all days that a partition is built from."""
    days = window.days(partition)
    return number_of(*(str([(day.toordinal(), source[day]) for day in days if day in source]) for source in revisions))


def _stale(seen: TableVersion, origins: Mapping[date, Origin]) -> Stale:
    inputs, definitions = seen.recorded(INPUTS), seen.recorded(DEFINITION)
    new = {partition for partition, origin in origins.items() if inputs.get(partition) != origin.inputs}
    changed = {partition for partition, origin in origins.items() if definitions.get(partition) != origin.definition}
    return Stale(new, changed - new)


def _groups(partitions: Sequence[date], inputs: Sequence[Input], window: Window) -> Iterator[list[date]]:
    """Partitions that are built together: few rows each, or with most of their days in common.

    What overlaps is read once, but never more than twice what a partition needs alone.
    """
    group: list[date] = []
    read: dict[date, int] = {}
    for partition in partitions:
        own = {day: sum(source.rows(day) for source in inputs) for day in window.days(partition)}
        both = read | own
        most = max(STEP, 2 * sum(own.values())) if read.keys() & own.keys() else STEP
        if group and sum(both.values()) > most:
            yield group
            group, both = [], own
        group.append(partition)
        read = both
    if group:
        yield group
