"""Days as partitions, which are in the order in which they turned up."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from dagster_project.days import days_of_run, newest_of, ranges, tags_of

KNOWN = ["2026-11-20", "2026-11-21", "2026-11-22", "2015-05-17"]


def test_neighbouring_days_are_one_range() -> None:
    wanted = [date(2026, 11, 21), date(2026, 11, 20), date(2026, 11, 22)]
    assert ranges(wanted, KNOWN) == [("2026-11-20", "2026-11-22")]


def test_days_that_lie_apart_are_ranges_of_their_own() -> None:
    assert ranges([date(2026, 11, 20), date(2026, 11, 22)], KNOWN) == [
        ("2026-11-20", "2026-11-20"),
        ("2026-11-22", "2026-11-22"),
    ]


def test_neighbours_are_those_that_turned_up_one_after_the_other() -> None:
    assert ranges([date(2015, 5, 17), date(2026, 11, 22)], KNOWN) == [("2026-11-22", "2015-05-17")]


@given(st.sets(st.sampled_from(KNOWN)))
def test_ranges_hold_exactly_the_wanted_days(wanted: set[str]) -> None:
    days = {date.fromisoformat(key) for key in wanted}
    held = [day for first, last in ranges(days, KNOWN) for day in days_of_run(tags_of(first, last), KNOWN)]
    assert sorted(held) == sorted(days)


def test_a_run_of_one_partition_is_of_its_day() -> None:
    assert days_of_run({"dagster/partition": "2015-05-17"}, KNOWN) == [date(2015, 5, 17)]


def test_a_run_of_no_partition_is_of_the_latest_days() -> None:
    many = [f"2026-{month:02}-01" for month in range(1, 13)] * 4
    assert days_of_run({}, KNOWN)[-1] == date(2026, 11, 22)
    assert len(days_of_run({}, many)) == 31


def test_the_newest_days_are_taken_up_to_a_number_of_rows_and_one_in_any_case() -> None:
    sizes = {date(2026, 11, 20): 5, date(2026, 11, 22): 4, date(2015, 5, 17): 1, date(2026, 11, 21): 5}
    assert newest_of(sizes, 9) == [date(2026, 11, 22), date(2026, 11, 21)]
    assert newest_of(sizes, 1) == [date(2026, 11, 22)]
    assert newest_of({}, 1) == []
