"""Collectors and workers of different ages: what one writes the other lands, or keeps with the reason."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from event_stream.event import Event
from event_stream.memory import MemoryReader, MemoryStream
from event_stream.ports import OutgoingRecord
from event_stream.topics import Topic
from lake.audit import audit
from lake.landing_table import DeltaLandingTable
from lake.location import Lake
from lake.raw import scan_dead_letters, scan_raw_events
from pipelines.landing.batch import BatchRule
from pipelines.landing.dead_letter_limit import DeadLetterLimit
from pipelines.landing.worker import LandingWorker

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "events" / "v1").glob("*.json"))
EVENTS = Topic("logektor.events.v1", 2, timedelta(days=1), 1_000_000)
COLUMNS = dict(zip(Event.__struct_encode_fields__, Event.__struct_fields__, strict=True))
"""By JSON name the column of each field."""

Landed = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def golden(name: str) -> dict[str, Any]:
    (file,) = (file for file in GOLDEN if file.stem == name)
    event: dict[str, Any] = json.loads(file.read_bytes())
    return event


def land(lake: Lake, *values: Mapping[str, Any]) -> Landed:
    """The events and the dead letters that become of these records, which are all landed once."""
    stream = MemoryStream([EVENTS])
    for value in values:
        stream.append(OutgoingRecord(EVENTS.name, None, json.dumps(value).encode()))
    worker = LandingWorker(
        lambda on_assign, on_revoke: MemoryReader(stream, on_assign, on_revoke),
        DeltaLandingTable(lake),
        BatchRule(),
        DeadLetterLimit(),
        now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )
    worker.step()
    worker.drain()
    events, dead_letters = scan_raw_events(lake).collect(), scan_dead_letters(lake).collect()
    assert audit(lake).exact
    assert events.height + dead_letters.height == len(values)
    return events, dead_letters


def fields(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The columns that an event fills, as the lake has them."""
    for name, value in event.items():
        column = COLUMNS.get(name)
        if column in ("occurred_at", "received_at"):
            yield column, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
        elif column == "properties":
            yield column, json.loads(json.dumps(value))
        elif column is not None:
            yield column, value


def test_every_golden_event_is_landed_field_by_field_beside_the_others(lake: Lake) -> None:
    written = {event["eventId"]: event for event in map(json.loads, (file.read_bytes() for file in GOLDEN))}
    events, _ = land(lake, *written.values())
    assert events.height == len(GOLDEN)
    for row in events.to_dicts():
        row["properties"] = json.loads(row["properties"]) if row["properties"] is not None else None
        expected = dict(fields(written[row["event_id"]]))
        assert {name: row[name] for name in expected} == expected


def test_a_field_of_a_newer_collector_is_left_out_and_costs_nothing(lake: Lake) -> None:
    events, _ = land(lake, golden("fields_of_a_newer_collector"))
    assert events["event_id"].to_list() == ["e2"]
    assert "addedLater" not in events.columns


def test_an_optional_field_that_an_older_collector_does_not_send_is_null(lake: Lake) -> None:
    events, _ = land(lake, golden("fewest_fields"), golden("every_field"))
    by_id = {row["event_id"]: row for row in events.to_dicts()}
    missing = COLUMNS.keys() - golden("fewest_fields").keys() - {"clockAdjusted"}
    assert all(by_id["e"][COLUMNS[name]] is None for name in missing)
    assert all(by_id["order-4711"][COLUMNS[name]] is not None for name in missing)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("screenWidth", "1920 px"),
        ("title", 7),
        ("occurredAt", "2026-11-24"),
        ("properties", [1]),
        ("clockAdjusted", "no"),
    ],
)
def test_a_field_of_another_type_makes_a_dead_letter_that_names_it(lake: Lake, field: str, value: object) -> None:
    retyped = golden("every_field") | {field: value}
    events, dead_letters = land(lake, golden("pageview"), retyped)
    assert events["event_id"].to_list() == [golden("pageview")["eventId"]]
    (row,) = dead_letters.to_dicts()
    assert (row["reason"], row["field"]) == ("invalid", field)
    assert json.loads(row["body"]) == retyped


def test_a_required_field_that_is_missing_makes_a_dead_letter_that_names_it(lake: Lake) -> None:
    without = {name: value for name, value in golden("pageview").items() if name != "objectType"}
    _, dead_letters = land(lake, without)
    assert dead_letters.select("reason", "field").row(0) == ("invalid", "objectType")
