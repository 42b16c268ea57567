"""Do Not Track and Global Privacy Control, by the site's policy."""

import pytest

from ingest_api.do_not_track import asks_not_to_be_tracked
from tests.ingest_api.conftest import Api

EVENT = {
    "action": "pageview",
    "url": "https://example.com/a",
    "visitorId": "v",
    "userId": "u",
    "sessionId": "s",
    "objectType": "user",
    "objectId": "o",
}
ASKS = {"origin": "https://example.com", "sec_gpc": "1", "user_agent": "Firefox"}


@pytest.mark.parametrize(
    ("dnt", "sec_gpc", "asks"),
    [("1", None, True), (None, "1", True), ("0", "1", True), (None, None, False), ("0", "0", False), ("", "x", False)],
)
def test_either_header_asks(dnt: str | None, sec_gpc: str | None, asks: bool) -> None:
    assert asks_not_to_be_tracked(dnt, sec_gpc) is asks


def test_by_default_who_asks_is_counted_and_nobody(api: Api) -> None:
    assert api.track(EVENT, **ASKS).status_code == 202
    event = api.event()
    assert (event.action, event.subject_id, event.object_type) == ("pageview", "/a", "user")
    assert (event.visitor_id, event.user_id, event.session_id, event.object_id) == (None, None, None, None)
    assert (event.user_agent, event.country) == (None, None)


def test_a_site_may_store_nothing_of_who_asks(api: Api) -> None:
    api.declare("example.com", 'do_not_track = "drop"')
    assert api.track(EVENT, **ASKS).status_code == 202
    assert api.batch([EVENT, {"action": ""}], **ASKS).json()["accepted"] == 1
    assert api.events() == []
    assert len(api.rejections()) == 1
    dropped = 'logektor_events_dropped_total{reason="do_not_track",site="example.com"} '
    assert dropped in api.request("GET", "/metrics").text
    assert api.track(EVENT, origin="https://example.com").status_code == 202
    assert len(api.events()) == 1


def test_a_site_may_ignore_it(api: Api) -> None:
    api.declare("example.com", 'do_not_track = "ignore"')
    api.track(EVENT, **ASKS)
    assert (api.event().visitor_id, api.event().user_agent) == ("v", "Firefox")
