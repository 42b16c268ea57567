"""Short ways to write down landed rows and clean events: what a test does not name has a plain value."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from lake.raw_schema import LANDED
from pipelines.reports.clean_events import EVENTS
from pipelines.reports.report import Report

SITE = "example.com"
DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

_LANDED_SCHEMA = pl.from_arrow(LANDED.empty_table()).schema  # type: ignore[union-attr]  # a table becomes a frame


def after(minutes: float) -> datetime:
    """An instant so many minutes after noon of DAY."""
    return NOON + timedelta(minutes=minutes)


def raw(*rows: Mapping[str, Any]) -> pl.LazyFrame:
    """Landed events; each is a page view at noon unless it says otherwise."""
    plain = {
        "kind": "event",
        "landed_date": DAY,
        "stream_id": "cluster/topic",
        "kafka_partition": 0,
        "landed_at": NOON,
        "site": SITE,
        "action": "pageview",
        "object_type": "visitor",
        "occurred_at": NOON,
        "received_at": NOON,
    }
    numbered = [
        {**plain, "event_id": f"event {offset}", "kafka_offset": offset, **row} for offset, row in enumerate(rows)
    ]
    return pl.LazyFrame(numbered, schema=_LANDED_SCHEMA)


def events(*rows: Mapping[str, Any]) -> pl.LazyFrame:
    """Clean events; each is a page view of `/` by a person called `ann` at noon unless it says otherwise."""
    plain = {
        "site": SITE,
        "event_date": DAY,
        "event_hour": 12,
        "action": "pageview",
        "object_type": "visitor",
        "occurred_at": NOON,
        "received_at": NOON,
        "visitor_id": "ann",
        "path": "/",
        "source": "Direct / None",
        "channel": "Direct",
        "is_bot": False,
        "stream_id": "cluster/topic",
        "kafka_partition": 0,
    }
    numbered = [
        {**plain, "event_id": f"event {offset:04}", "kafka_offset": offset, **row} for offset, row in enumerate(rows)
    ]
    return pl.LazyFrame(numbered, schema=dict(EVENTS.schema))


def table(report: Report, *rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of a report's table, of SITE and DAY unless they say otherwise."""
    plain = {"site": SITE, report.spec.partition_by: DAY}
    return pl.DataFrame([{**plain, **row} for row in rows], schema=dict(report.spec.schema))


def built(report: Report, **inputs: pl.LazyFrame) -> pl.DataFrame:
    """A report's rows in the order of its key."""
    return report.build(*(inputs[name] for name in report.inputs)).collect(engine="streaming").sort(report.spec.key)
