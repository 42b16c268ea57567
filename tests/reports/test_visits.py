"""Reports of visits by what their first event, first page or last page says."""

from typing import Any

import pytest
from polars.testing import assert_frame_equal

from pipelines.reports.campaigns import CAMPAIGNS
from pipelines.reports.devices import DEVICES
from pipelines.reports.entry_pages import ENTRY_PAGES
from pipelines.reports.exit_pages import EXIT_PAGES
from pipelines.reports.languages import LANGUAGES
from pipelines.reports.locations import LOCATIONS
from pipelines.reports.report import Report
from pipelines.reports.sessions import SESSIONS
from tests.reports.rows import after, built, events, table

ANN = {
    "country": "DE",
    "language": "de-DE",
    "device": "Mobile",
    "browser": "Firefox",
    "os": "Android",
    "source": "Newsletter",
    "utm_campaign": "spring",
    "utm_term": "pots",
}
VISITS_OF_PEOPLE = (
    {"occurred_at": after(0), "path": "/in", **ANN},
    {"occurred_at": after(5), "path": "/out", "country": "FR"},
    {"occurred_at": after(6), "action": "engagement", "engaged_ms": 1_234},
    {"occurred_at": after(100), "path": "/in", **ANN},
    {"visitor_id": "bob", "path": "/in", "utm_medium": "Print"},
    {"visitor_id": "cat", "action": "signup", **ANN},
    {"visitor_id": "crawler", "path": "/in", "is_bot": True, **ANN},
)
"""Ann visits twice, Bob bounces, Cat signs up without a page view."""

OF_ANN = {"visitors": 1, "visits": 2, "pageviews": 3, "bounces": 1, "visit_seconds": 300, "engaged_seconds": 1.234}
OF_ANN_AND_CAT = {**OF_ANN, "visitors": 2, "visits": 3}
OF_BOB = {"visitors": 1, "visits": 1, "pageviews": 1, "bounces": 1, "visit_seconds": 0, "engaged_seconds": 0.0}
ONE_LONG = {"visitors": 1, "visits": 1, "pageviews": 2, "bounces": 0, "visit_seconds": 300, "engaged_seconds": 1.234}
CAMPAIGN = {"utm_campaign": "", "source": "Direct / None", "utm_medium": "", "utm_term": "", "utm_content": ""}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (LOCATIONS, [{"country": "", **OF_BOB}, {"country": "DE", **OF_ANN_AND_CAT}]),
        (LANGUAGES, [{"language": "", **OF_BOB}, {"language": "de-DE", **OF_ANN_AND_CAT}]),
        (
            DEVICES,
            [
                {"device": "", "browser": "", "os": "", **OF_BOB},
                {"device": "Mobile", "browser": "Firefox", "os": "Android", **OF_ANN_AND_CAT},
            ],
        ),
        (
            CAMPAIGNS,
            [
                {**CAMPAIGN, "utm_medium": "Print", **OF_BOB},
                {**CAMPAIGN, "utm_campaign": "spring", "utm_term": "pots", "source": "Newsletter", **OF_ANN_AND_CAT},
            ],
        ),
        (ENTRY_PAGES, [{"entry_page": "/in", **OF_ANN, "visitors": 2, "visits": 3, "pageviews": 4, "bounces": 2}]),
        (
            EXIT_PAGES,
            [
                {"exit_page": "/in", **OF_BOB, "visitors": 2, "visits": 2, "pageviews": 2, "bounces": 2},
                {"exit_page": "/out", **ONE_LONG},
            ],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Report) else "",
)
def test_visits_are_counted_by_what_they_began_with(report: Report, expected: list[dict[str, Any]]) -> None:
    result = built(report, sessions=SESSIONS.build(events(*VISITS_OF_PEOPLE)))
    assert_frame_equal(result, table(report, *expected))


def test_a_visit_without_campaign_parameters_is_of_no_campaign() -> None:
    assert built(CAMPAIGNS, sessions=SESSIONS.build(events({"source": "Google"}))).is_empty()
