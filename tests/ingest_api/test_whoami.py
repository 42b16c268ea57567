"""GET /whoami: what the collector sees of a client."""

from tests.ingest_api.conftest import Api


def test_a_client_is_told_what_would_become_of_its_events(api: Api) -> None:
    headers = {"origin": "https://example.com", "user-agent": "Firefox"}
    answer = api.request("GET", "/whoami", headers=headers)
    assert answer.headers["cache-control"] == "no-store"
    seen = answer.json()
    api.track({"action": "x"}, origin="https://example.com", user_agent="Firefox")
    assert seen == {
        "clientIp": "192.0.2.7",
        "userAgent": "Firefox",
        "country": None,
        "site": "example.com",
        "visitorId": api.event().visitor_id,
        "asksNotToBeTracked": False,
        "doNotTrack": "anonymous",
        "refusal": None,
    }


def test_who_would_be_refused_is_told_why_and_no_visitor(api: Api) -> None:
    seen = api.request("GET", "/whoami?site=example.com", headers={"origin": "https://evil.test"}).json()
    assert seen["refusal"]["code"] == "origin_not_allowed"
    assert (seen["site"], seen["visitorId"]) == (None, None)


def test_who_asks_not_to_be_tracked_is_no_visitor(api: Api) -> None:
    seen = api.request("GET", "/whoami", headers={"dnt": "1"}).json()
    assert seen["asksNotToBeTracked"]
    assert seen["visitorId"] is None


def test_it_stores_nothing(api: Api) -> None:
    api.request("GET", "/whoami")
    assert api.events() == []
