"""What sites.toml says of goals and funnels, as the frames that reports are built from."""

import json
from collections.abc import Iterable, Mapping

import polars as pl

from pipelines.reports.report import SITE_FUNNELS, SITE_GOALS, Report
from sites import Site

GOALS_SCHEMA = {
    "site": pl.String(),
    "goal": pl.String(),
    "action": pl.String(),
    "page": pl.String(),
    "properties": pl.String(),
}
FUNNELS_SCHEMA = {
    "site": pl.String(),
    "funnel": pl.String(),
    "step": pl.Int64(),
    "goal": pl.String(),
    "window_days": pl.Int64(),
}


def settings_of(report: Report, sites: Iterable[Site]) -> list[str]:
    """What a report is told of sites.toml, as texts that are others when it is."""
    frames = site_frames(sites)
    return [str(frames[name].collect().to_dicts()) for name in report.inputs if name in frames]


def site_frames(sites: Iterable[Site]) -> Mapping[str, pl.LazyFrame]:
    """A frame for each of pipelines.reports.report.SETTINGS."""
    goals = [
        {
            "site": site.domain,
            "goal": goal.name,
            "action": goal.action,
            "page": goal.page,
            "properties": json.dumps(dict(goal.properties)),
        }
        for site in sites
        for goal in site.goals
    ]
    funnels = [
        {
            "site": site.domain,
            "funnel": funnel.name,
            "step": step,
            "goal": goal,
            "window_days": funnel.window_days,
        }
        for site in sites
        for funnel in site.funnels
        for step, goal in enumerate(funnel.steps, 1)
    ]
    return {
        SITE_GOALS: pl.LazyFrame(goals, schema=GOALS_SCHEMA),
        SITE_FUNNELS: pl.LazyFrame(funnels, schema=FUNNELS_SCHEMA),
    }
