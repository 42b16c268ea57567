"""An event counts once (G3), and what is merged little by little equals a rebuild (G4)."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.reports.duplicates import PLACE, first_of_each, merge_new
from tests.reports.rows import DAY, NOON, after, events

NOBODY = events().collect()


def offsets(rows: pl.DataFrame) -> list[int]:
    return rows["kafka_offset"].sort().to_list()


def test_the_row_received_first_counts_wherever_it_lies_in_the_stream() -> None:
    rows = events({"event_id": "a", "received_at": after(1)}, {"event_id": "a", "received_at": after(0)}).collect()
    assert offsets(first_of_each(rows)) == [1]


def test_of_rows_received_at_once_the_first_place_counts() -> None:
    rows = events(
        {"event_id": "a", "stream_id": "s", "kafka_partition": 1, "kafka_offset": 0},
        {"event_id": "a", "stream_id": "s", "kafka_partition": 0, "kafka_offset": 9},
        {"event_id": "a", "stream_id": "s", "kafka_partition": 0, "kafka_offset": 8},
        {"event_id": "a", "stream_id": "t", "kafka_partition": 0, "kafka_offset": 1},
    ).collect()
    assert offsets(first_of_each(rows)) == [8]


def test_the_same_id_on_another_site_is_another_event() -> None:
    rows = events({"event_id": "a"}, {"event_id": "a", "site": "other.org"}).collect()
    assert offsets(first_of_each(rows)) == [0, 1]


def test_a_duplicate_of_the_same_day_is_found_however_late_it_comes() -> None:
    rows = events({"event_id": "a"}, {"event_id": "a", "received_at": NOON + timedelta(days=4000)}).collect()
    assert offsets(first_of_each(rows)) == [0]


def test_a_duplicate_of_another_day_is_found_for_thirty_days() -> None:
    another = {"event_id": "a", "event_date": date(2026, 11, 21)}
    on_time = {**another, "received_at": NOON + timedelta(days=30)}
    too_late = {**another, "received_at": NOON + timedelta(days=30, microseconds=1)}
    assert offsets(first_of_each(events({"event_id": "a"}, on_time).collect())) == [0]
    assert offsets(first_of_each(events({"event_id": "a"}, too_late).collect())) == [0, 1]


def test_a_row_that_does_not_count_keeps_no_other_out() -> None:
    """The second is a duplicate of the first; the third is one of the second only, and so counts."""
    rows = events(
        {"event_id": "a", "event_date": date(2026, 1, 1), "received_at": NOON},
        {"event_id": "a", "event_date": date(2026, 1, 2), "received_at": NOON + timedelta(days=20)},
        {"event_id": "a", "event_date": date(2026, 1, 2), "received_at": NOON + timedelta(days=40)},
    ).collect()
    assert offsets(first_of_each(rows)) == [0, 2]


def test_a_new_event_is_added_and_a_repeated_one_is_not() -> None:
    existing = events({"event_id": "a"}).collect()
    new = events(
        {"event_id": "a", "received_at": after(1), "kafka_offset": 1}, {"event_id": "b", "kafka_offset": 2}
    ).collect()
    merge = merge_new(existing, new)
    assert (offsets(merge.added), offsets(merge.displaced)) == ([2], [])


def test_a_row_that_was_merged_before_changes_nothing() -> None:
    existing = events({"event_id": "a"}, {"event_id": "b"}).collect()
    merge = merge_new(existing, existing)
    assert merge.added.is_empty()
    assert merge.displaced.is_empty()


def test_a_late_row_that_was_received_earlier_displaces_the_one_that_counted() -> None:
    existing = events({"event_id": "a", "received_at": after(1)}).collect()
    merge = merge_new(existing, events({"event_id": "a", "received_at": after(0), "kafka_offset": 1}).collect())
    assert (offsets(merge.added), offsets(merge.displaced)) == ([1], [0])


law = settings(deadline=None)  # The machine may be busy.

START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def raw_rows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows of few events on few days, received over months, so that nearly all are duplicates of something."""
    row = st.fixed_dictionaries(
        {
            "event_id": st.sampled_from(["a", "b"]),
            "event_date": st.sampled_from([DAY, date(2026, 11, 21), date(2026, 11, 22)]),
            "received_at": st.integers(0, 100).map(lambda days: START + timedelta(days=days)),
            "kafka_partition": st.integers(0, 1),
        }
    )
    return draw(st.lists(row, max_size=12))


def one_by_one(rows: pl.DataFrame) -> pl.DataFrame:
    """The rule of G3, as it is said."""
    counting: list[dict[str, object]] = []
    for row in rows.sort("received_at", *PLACE).iter_rows(named=True):
        related = (
            other["event_date"] == row["event_date"] or row["received_at"] - other["received_at"] <= timedelta(days=30)
            for other in counting
            if (other["site"], other["event_id"]) == (row["site"], row["event_id"])
        )
        if not any(related):
            counting.append(row)
    return pl.DataFrame(counting, schema=rows.schema)


def same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left.sort(PLACE), right.sort(PLACE))


@law
@given(raw_rows())
def test_rounds_over_all_events_at_once_equal_going_through_the_rows_one_by_one(rows: list[dict[str, object]]) -> None:
    frame = events(*rows).collect()
    same(first_of_each(frame), one_by_one(frame))


@law
@given(raw_rows())
def test_finding_the_first_again_finds_the_same(rows: list[dict[str, object]]) -> None:
    once = first_of_each(events(*rows).collect())
    same(first_of_each(once), once)


def refreshed(table: pl.DataFrame, new: pl.DataFrame, landed: pl.DataFrame, near: bool) -> pl.DataFrame:
    """What the writer of the table does: append what is new, or decide the displaced events anew from raw rows."""
    merge = merge_new(near_rows(table, new) if near else table, new)
    again = merge.displaced.select("site", "event_id").unique()
    appended = pl.concat([table, merge.added])
    return pl.concat(
        [
            appended.join(again, on=("site", "event_id"), how="anti"),
            first_of_each(landed.join(again, on=("site", "event_id"), how="semi")),
        ]
    )


def near_rows(table: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The least that merge_new may be given: rows of the same event and day, or received within 30 days."""
    other = new.select("site", "event_id", new_date="event_date", new_received_at="received_at")
    apart = (pl.col("received_at") - pl.col("new_received_at")).abs()
    return (
        table.join(other, on=("site", "event_id"))
        .filter((pl.col("event_date") == pl.col("new_date")) | (apart <= timedelta(days=30)))
        .select(table.columns)
        .unique()
    )


@law
@given(raw_rows(), st.randoms(use_true_random=False), st.integers(1, 5), st.booleans(), st.booleans())
def test_merging_little_by_little_in_any_order_equals_a_rebuild(
    rows: list[dict[str, object]], random: Random, size: int, again: bool, near: bool
) -> None:
    everything = events(*rows).collect()
    order = list(range(everything.height))
    random.shuffle(order)
    table, landed = NOBODY, NOBODY
    for start in range(0, len(order), size):
        # A batch may be merged twice: after a crash, say.
        batch = everything[order[max(start - again, 0) : start + size]]
        landed = pl.concat([landed, everything[order[start : start + size]]])
        table = refreshed(table, batch, landed, near)
    same(table, first_of_each(everything))
