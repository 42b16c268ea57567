"""What the table of clean events promises: rows, progress and revisions come together, or not at all."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lake.errors import TableConflict
from lake.events_table import EventsTable, taken_in
from lake.location import Lake
from lake.table_spec import Column, TableSpec

MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)
FIRST = ("cluster/events", 0)
SECOND = ("cluster/events", 1)

SPEC = TableSpec(
    name="events",
    description="Each event once.",
    key=("site", "event_date", "event_id"),
    partition_by="event_date",
    columns=(
        Column("site", pl.String(), "the domain of the site"),
        Column("event_date", pl.Date(), "the day it happened"),
        Column("event_id", pl.String(), "the event's id"),
        Column("received_at", pl.Datetime("us", "UTC"), "when the collector received it", "UTC"),
    ),
)


def rows(day: date, *ids: str) -> pl.DataFrame:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return pl.DataFrame([("a.example", day, event_id, at) for event_id in ids], schema=SPEC.schema, orient="row")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def events(lake: Lake) -> EventsTable:
    events = EventsTable(lake, SPEC)
    events.declare()
    return events


def ids(events: EventsTable) -> list[str]:
    return events.read().scan().collect()["event_id"].sort().to_list()


def test_rows_come_with_their_progress_and_the_revisions_of_their_days(events: EventsTable) -> None:
    events.append(events.read(), pl.concat([rows(MONDAY, "a"), rows(TUESDAY, "b")]), {FIRST: 2, SECOND: 0})
    events.append(events.read(), rows(TUESDAY, "c"), {FIRST: 3, SECOND: 0})
    read = events.read()
    assert taken_in(read) == {FIRST: 3, SECOND: 0}
    assert (read.revision(MONDAY), read.revision(TUESDAY)) == (1, 2)
    assert ids(events) == ["a", "b", "c"]


def test_progress_moves_without_rows(events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY), {FIRST: 5})
    assert taken_in(events.read()) == {FIRST: 5}
    assert events.read().revision(MONDAY) == 0


def test_of_two_that_take_in_the_same_rows_one_fails(events: EventsTable) -> None:
    seen = events.read()
    events.append(seen, rows(MONDAY, "a"), {FIRST: 1})
    with pytest.raises(TableConflict):
        events.append(seen, rows(TUESDAY, "b"), {FIRST: 1})
    assert ids(events) == ["a"]


def test_a_repeated_commit_changes_nothing(events: EventsTable) -> None:
    """A version does not move with the commits made on it, so the second one is decided on the same old version."""
    seen = events.read()
    events.append(seen, rows(MONDAY, "a"), {SECOND: 1})
    events.append(seen, rows(TUESDAY, "b"), {FIRST: 1})
    with pytest.raises(TableConflict):
        events.append(seen, rows(TUESDAY, "b"), {FIRST: 1})
    assert ids(events) == ["a", "b"]


def test_of_two_that_change_the_same_day_one_fails(events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY, "a"), {FIRST: 1})
    seen = events.read()
    events.append(seen, rows(MONDAY, "b"), {FIRST: 2})
    with pytest.raises(TableConflict):
        events.replace_days(seen, [MONDAY], rows(MONDAY, "a"))
    assert ids(events) == ["a", "b"]


def test_days_are_replaced_together_and_the_progress_stays(events: EventsTable) -> None:
    events.append(events.read(), pl.concat([rows(MONDAY, "a"), rows(TUESDAY, "b")]), {FIRST: 2})
    events.replace_days(events.read(), [MONDAY, TUESDAY], rows(TUESDAY, "c", "d"))
    read = events.read()
    assert ids(events) == ["c", "d"]
    assert (read.days, read.revision(MONDAY), read.revision(TUESDAY)) == (frozenset({TUESDAY}), 2, 2)
    assert taken_in(read) == {FIRST: 2}


def test_days_may_be_replaced_together_with_a_new_progress(events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY, "a"), {FIRST: 1})
    events.replace_days(events.read(), [MONDAY], rows(MONDAY, "b"), {FIRST: 2})
    assert (ids(events), taken_in(events.read())) == (["b"], {FIRST: 2})


def test_compaction_makes_no_day_stale_and_fails_no_append(lake: Lake, events: EventsTable) -> None:
    for number in range(5):
        events.append(events.read(), rows(MONDAY, str(number)), {FIRST: number + 1})
    seen = events.read()
    DeltaTable(lake.table_uri("events")).optimize.compact()
    assert events.read().revision(MONDAY) == seen.revision(MONDAY)
    events.append(seen, rows(MONDAY, "5"), {FIRST: 6})
    assert ids(events) == ["0", "1", "2", "3", "4", "5"]
    assert DeltaTable(lake.table_uri("events")).version() > seen.number + 1


def test_a_replacement_that_a_compaction_overtook_replaces_what_that_made(lake: Lake, events: EventsTable) -> None:
    for number in range(5):
        events.append(events.read(), rows(MONDAY, str(number)), {FIRST: number + 1})
    events.append(events.read(), rows(TUESDAY, "t"), {FIRST: 6})
    seen = events.read()
    DeltaTable(lake.table_uri("events")).optimize.compact()
    events.replace_days(seen, [MONDAY], rows(MONDAY, "x"))
    assert ids(events) == ["t", "x"]


def test_a_compaction_between_the_last_look_and_the_commit_fails_no_replacement(
    lake: Lake, events: EventsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        events.append(events.read(), rows(MONDAY, str(number)), {FIRST: number + 1})
    commit = DeltaTable.create_write_transaction
    compacted: list[object] = []

    def overtaken(handle: DeltaTable, *change: Any, **how: Any) -> None:
        if not compacted:
            compacted.append(DeltaTable(lake.table_uri("events")).optimize.compact())
        commit(handle, *change, **how)

    monkeypatch.setattr(DeltaTable, "create_write_transaction", overtaken)
    events.replace_days(events.read(), [MONDAY], rows(MONDAY, "x"))
    assert ids(events) == ["x"]


def test_rows_may_come_some_at_a_time(events: EventsTable) -> None:
    days = (rows(MONDAY, "a"), rows(MONDAY, "b"), rows(TUESDAY, "c"))
    events.append(events.read(), iter(days), {FIRST: 3})
    events.replace_days(events.read(), [MONDAY], iter((rows(MONDAY, "d"), rows(MONDAY, "e"))))
    read = events.read()
    assert ids(events) == ["c", "d", "e"]
    assert (read.rows(MONDAY), read.rows(TUESDAY)) == (2, 1)


def test_replacing_no_day_changes_no_other(events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY, "a"), {FIRST: 1})
    events.replace_days(events.read(), [], rows(MONDAY))
    assert ids(events) == ["a"]


def test_files_are_found_by_what_the_log_knows_of_their_rows(lake: Lake, events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY, "b", "a"), {FIRST: 1})
    nameless = rows(MONDAY, "c").with_columns(
        site=pl.lit(None, pl.String()), received_at=pl.lit(None, SPEC.schema["received_at"])
    )
    events.append(events.read(), nameless, {FIRST: 2})
    known = pl.DataFrame(DeltaTable(lake.table_uri("events")).get_add_actions(flatten=True)).sort("min.site")
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert known.select("num_records", "min.site", "max.received_at", "null_count.site").rows() == [
        (1, None, None, 1),
        (2, "a.example", noon, 0),
    ]
    assert "event_id" not in "".join(known.columns)


def test_progress_and_revisions_outlive_checkpoints(lake: Lake, events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY, "a"), {SECOND: 1})
    for number in range(60):
        events.append(events.read(), rows(TUESDAY, str(number)), {FIRST: number + 1})
    table = DeltaTable(lake.table_uri("events"))
    table.create_checkpoint()
    table.cleanup_metadata()
    read = events.read()
    assert taken_in(read) == {FIRST: 60, SECOND: 1}
    assert (read.revision(MONDAY), read.revision(TUESDAY)) == (1, 60)


def test_a_row_outside_of_the_replaced_days_is_refused(events: EventsTable) -> None:
    events.append(events.read(), rows(MONDAY, "a"), {FIRST: 1})
    with pytest.raises(ValueError, match="2026-11-24"):
        events.replace_days(events.read(), [MONDAY], rows(TUESDAY, "b"))
    assert ids(events) == ["a"]
