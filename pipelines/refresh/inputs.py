"""What a report is built from: other tables as they are now, and what sites.toml says."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property

import polars as pl

from lake.location import Lake
from lake.table_spec import TableSpec
from lake.table_version import TableVersion, open_version
from pipelines.refresh.input import Input
from pipelines.refresh.landing_days import inputs_of_landing
from pipelines.refresh.site_frames import site_frames
from pipelines.reports.all_reports import load_reports
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import SETTINGS, Report
from sites import Site


@dataclass(frozen=True)
class Settings:
    """Rows that are of no day. That they change is told by the report's definition."""

    frame: pl.LazyFrame
    revisions: Mapping[date, int] = field(default_factory=dict)

    def scan(self, days: Collection[date]) -> pl.LazyFrame:
        return self.frame

    def rows(self, day: date) -> int:
        return 0


@dataclass(frozen=True)
class Opened:
    """Tables that are opened once for all who read them."""

    lake: Lake
    sites: Iterable[Site] = ()
    tables: dict[str, TableVersion] = field(default_factory=dict)

    def table(self, spec: TableSpec) -> TableVersion:
        """A table. Raises LakeAway."""
        if spec.name not in self.tables:
            self.tables[spec.name] = open_version(self.lake, spec)
        return self.tables[spec.name]

    def inputs(self, report: Report) -> Sequence[Input]:
        """What a report is built from, in its order. Raises LakeAway."""
        frames = site_frames(self.sites)
        landing = self.landing if report.window.of_landing else {}
        return [
            Settings(frames[name]) if name in SETTINGS else landing.get(name) or self.table(_specs()[name])
            for name in report.inputs
        ]

    @cached_property
    def landing(self) -> Mapping[str, Input]:
        """What is known of each day of landing, by the name of the input. Raises LakeAway."""
        return inputs_of_landing(self.lake, self.table(EVENTS))


@cache
def _specs() -> Mapping[str, TableSpec]:
    return {EVENTS.name: EVENTS, **{report.name: report.spec for report in load_reports()}}
