"""Which days of its inputs a partition is built from, and which partitions a day has a part in."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports.window import DAY, Window

windows = st.builds(
    Window,
    st.sampled_from(["day", "week", "month"]),
    st.integers(min_value=0, max_value=40),
    st.integers(min_value=0, max_value=40),
)
some_day = st.dates(date(2014, 12, 1), date(2030, 3, 1))


def test_a_table_by_day_is_built_from_the_day_itself() -> None:
    day = date(2026, 11, 20)
    assert (DAY.start(day), DAY.days(day), DAY.partitions(day)) == (day, [day], [day])


def test_a_week_begins_on_monday_and_a_month_on_the_first() -> None:
    assert Window("week").start(date(2026, 11, 22)) == date(2026, 11, 16)
    assert Window("month").start(date(2024, 2, 29)) == date(2024, 2, 1)
    assert len(Window("month").days(date(2024, 2, 1))) == 29


def test_days_before_and_after_belong_to_the_window() -> None:
    days = Window("week", days_before=2, days_after=1).days(date(2026, 11, 16))
    assert (days[0], days[-1], len(days)) == (date(2026, 11, 14), date(2026, 11, 23), 10)


@given(windows, some_day, some_day)
def test_a_day_has_a_part_in_exactly_the_partitions_that_are_built_from_it(
    window: Window, day: date, other: date
) -> None:
    partitions = window.partitions(day)
    assert all(day in window.days(partition) and window.start(partition) == partition for partition in partitions)
    assert window.start(day) in partitions
    assert (day in window.days(window.start(other))) == (window.start(other) in partitions)
