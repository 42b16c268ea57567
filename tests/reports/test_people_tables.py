"""Who can be known again, and what follows for weeks, months and cohorts."""

from datetime import date, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from pipelines.reports.people_daily import PEOPLE_DAILY
from pipelines.reports.people_weekly import PEOPLE_WEEKLY
from pipelines.reports.retention import RETENTION, WEEKS_BEFORE
from pipelines.reports.traffic import TRAFFIC
from pipelines.reports.visitors import VISITORS_MONTHLY, VISITORS_WEEKLY
from tests.reports.rows import DAY, SITE, built, events, table

MONDAY = date(2026, 11, 16)
HASHED = "0123456789abcdef0123456789abcdef"
OTHER_HASHED = "f" * 32


def test_visitors_of_a_day_are_one_row_without_a_name() -> None:
    result = built(
        PEOPLE_DAILY,
        events=events(
            {"visitor_id": "ann"},
            {"visitor_id": "ann"},
            {"visitor_id": HASHED},
            {"visitor_id": OTHER_HASHED},
            {"visitor_id": None},
            {"visitor_id": "crawler", "is_bot": True},
            {"visitor_id": "crawler"},
        ),
    )
    expected = table(PEOPLE_DAILY, {"person": "", "visitors": 2}, {"person": "ann", "visitors": 1})
    assert_frame_equal(result, expected)


def test_a_visitor_who_signs_in_is_that_user_all_day_and_on_all_devices() -> None:
    result = built(
        PEOPLE_DAILY,
        events=events(
            {"visitor_id": HASHED},
            {"visitor_id": HASHED, "user_id": "u"},
            {"visitor_id": "phone", "user_id": "u"},
            {"visitor_id": "u", "user_id": "u"},
        ),
    )
    assert_frame_equal(result, table(PEOPLE_DAILY, {"person": "u", "visitors": 1}))


def people(*rows: tuple[date, str, int]) -> pl.LazyFrame:
    return table(PEOPLE_DAILY, *({"date": day, "person": who, "visitors": many} for day, who, many in rows)).lazy()


def traffic(*days: date) -> pl.LazyFrame:
    return table(TRAFFIC, *({"date": day, "visits": 2, "pageviews": 3} for day in days)).lazy()


def test_people_of_a_week_are_counted_once_and_nameless_ones_by_day() -> None:
    sunday, next_monday = MONDAY + timedelta(days=6), MONDAY + timedelta(days=7)
    daily = people(
        (MONDAY, "ann", 1), (sunday, "ann", 1), (sunday, "bob", 1), (MONDAY, "", 5), (sunday, "", 7),
        (next_monday, "ann", 1),
    )  # fmt: skip
    result = built(VISITORS_WEEKLY, people_daily=daily, traffic=traffic(MONDAY, sunday, next_monday))
    expected = table(
        VISITORS_WEEKLY,
        {"date": MONDAY, "visitors": 14, "visits": 4, "pageviews": 6},
        {"date": next_monday, "visitors": 1, "visits": 2, "pageviews": 3},
    )
    assert_frame_equal(result, expected)
    weekly = built(PEOPLE_WEEKLY, people_daily=daily)
    assert weekly.rows() == [(SITE, MONDAY, "ann"), (SITE, MONDAY, "bob"), (SITE, next_monday, "ann")]


def test_a_month_is_that_of_the_calendar() -> None:
    last, first = date(2026, 11, 30), date(2026, 12, 1)
    daily = people((date(2026, 11, 1), "ann", 1), (last, "ann", 1), (first, "ann", 1))
    result = built(VISITORS_MONTHLY, people_daily=daily, traffic=traffic(date(2026, 11, 1), last, first))
    assert result.select("date", "visitors").rows() == [(date(2026, 11, 1), 1), (first, 1)]


def test_a_site_with_nobody_to_tell_apart_has_a_week_without_visitors() -> None:
    result = built(VISITORS_WEEKLY, people_daily=people(), traffic=traffic(DAY))
    assert result.select("visitors", "visits").rows() == [(0, 2)]


def retention(*came: tuple[int, str]) -> list[tuple[int, int, int]]:
    """(week, weeks since the first, people) of who came in which week, by number."""
    rows = ({"date": MONDAY + timedelta(weeks=week), "person": who} for week, who in came)
    result = built(RETENTION, people_weekly=table(PEOPLE_WEEKLY, *rows).lazy())
    weeks = result.select(((pl.col("date") - MONDAY).dt.total_days() // 7).alias("week"), "weeks_since", "people")
    return sorted(weeks.rows())


def test_a_cohort_is_those_who_came_first_in_a_week() -> None:
    assert retention((0, "ann"), (0, "bob"), (1, "ann"), (2, "ann"), (2, "eve")) == [
        (0, 0, 2), (1, 1, 1), (2, 0, 1), (2, 2, 1),
    ]  # fmt: skip


def test_who_stayed_away_longer_than_the_window_is_new_again() -> None:
    assert retention((0, "ann"), (WEEKS_BEFORE, "ann")) == [(0, 0, 1), (WEEKS_BEFORE, WEEKS_BEFORE, 1)]
    assert retention((0, "ann"), (WEEKS_BEFORE + 1, "ann")) == [(0, 0, 1), (WEEKS_BEFORE + 1, 0, 1)]
