"""Report traffic_hourly: what people did in each hour of a site's day."""

from polars.testing import assert_frame_equal

from pipelines.reports.sessions import SESSIONS
from pipelines.reports.traffic_hourly import TRAFFIC_HOURLY
from tests.reports.rows import after, built, events, table


def test_an_hour_has_its_events_and_the_visits_that_began_in_it() -> None:
    clean = events(
        {"occurred_at": after(50), "event_hour": 13},
        {"occurred_at": after(58), "event_hour": 13, "action": "signup"},
        {"occurred_at": after(61), "event_hour": 14},
        {"occurred_at": after(62), "event_hour": 14, "action": "engagement", "engaged_ms": 1_500},
        {"occurred_at": after(62), "event_hour": 14, "visitor_id": None},
        {"visitor_id": "bob", "occurred_at": after(55), "event_hour": 13},
        {"visitor_id": "crawler", "event_hour": 15, "is_bot": True},
    )
    result = built(TRAFFIC_HOURLY, events=clean, sessions=SESSIONS.build(clean))
    expected = table(
        TRAFFIC_HOURLY,
        {
            "hour": 13,
            "visitors": 2,
            "visits": 2,
            "pageviews": 2,
            "events": 3,
            "engagements": 0,
            "engaged_seconds": 0.0,
        },
        {
            "hour": 14,
            "visitors": 1,
            "visits": 0,
            "pageviews": 2,
            "events": 2,
            "engagements": 1,
            "engaged_seconds": 1.5,
        },
    )
    assert_frame_equal(result, expected)
