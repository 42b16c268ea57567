"""When an event happened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_api.errors import EventRejected
from ingest_api.event_time import event_time
from tests.ingest_api.conftest import NOW

HOUR = 3_600_000_000
DAY = 24 * HOUR

times = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40)


@pytest.mark.parametrize(
    "stamp",
    [
        1_795_435_200,
        1_795_435_200.0,
        1_795_435_200_000,
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00+00:00",
        "2026-11-23T13:00:00+01:00",
        "2026-11-23T12:00:00",
        "20261123T120000Z",
    ],
)
def test_seconds_milliseconds_and_iso_8601_are_told_apart(stamp: float | str) -> None:
    assert event_time(stamp, None, NOW, 90, False) == (NOW - DAY, False)


def test_fractions_of_a_second_are_kept() -> None:
    assert event_time(1_795_435_200.25, None, NOW, 90, False)[0] == NOW - DAY + 250_000
    assert event_time(1_795_435_200_250, None, NOW, 90, False)[0] == NOW - DAY + 250_000
    assert event_time("2026-11-23T12:00:00.25Z", None, NOW, 90, False)[0] == NOW - DAY + 250_000


def test_no_time_is_now() -> None:
    assert event_time(None, None, NOW, 90, False) == (NOW, False)


@pytest.mark.parametrize("wrong", [-5 * 365 * DAY, -3 * HOUR, 3 * HOUR, 5 * 365 * DAY])
def test_a_wrong_clock_is_corrected_by_what_it_says_when_it_sends(wrong: int) -> None:
    happened, sent = (NOW - HOUR + wrong) / 1e6, (NOW + wrong) / 1e6
    assert event_time(happened, sent, NOW, 90, False) == (NOW - HOUR, False)


@pytest.mark.parametrize("offset", [1, DAY, -(90 * DAY) - 1])
def test_the_future_and_the_long_past_are_now(offset: int) -> None:
    stamp = (NOW + offset) / 1e6
    assert event_time(stamp, None, NOW, 90, False) == (NOW, True)


def test_the_site_says_how_old_an_event_may_be() -> None:
    assert event_time((NOW - 7 * DAY) / 1e6, None, NOW, 7, False)[1] is False
    assert event_time((NOW - 7 * DAY) / 1e6 - 1, None, NOW, 7, False) == (NOW, True)


def test_the_bound_itself_is_believed() -> None:
    assert event_time((NOW - 90 * DAY) / 1e6, None, NOW, 90, False)[1] is False
    assert event_time(NOW / 1e6, None, NOW, 90, False) == (NOW, False)


@pytest.mark.parametrize("stamp", [0, 1_431_857_100, "1999-12-31T23:59:59Z", "2030-01-01"])
def test_a_key_that_may_write_history_is_believed(stamp: float | str) -> None:
    assert event_time(stamp, None, NOW, 90, True)[1] is False


@pytest.mark.parametrize("stamp", [-1, 1e300, 10**30, "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_history_has_its_bounds(stamp: float | str) -> None:
    with pytest.raises(EventRejected, match="between 1970 and 9999"):
        event_time(stamp, None, NOW, 90, True)


@given(times, st.none() | times, st.booleans())
def test_any_time_is_a_time_that_fits_or_rejected(
    stamp: float | str, sent_at: float | str | None, history: bool
) -> None:
    try:
        micros, adjusted = event_time(stamp, sent_at, NOW, 90, history)
    except EventRejected as rejection:
        assert rejection.field in {"datetimeStamp", "sentAt"}
    else:
        assert 0 <= micros <= 253_402_300_799_999_999
        assert history or NOW - 90 * DAY <= micros <= NOW
        assert micros == NOW or not adjusted
