"""Pages of a site may send and read answers, pages of others may not."""

import pytest

from tests.ingest_api.conftest import SEED, Api

OWN, FOREIGN = "https://www.example.com", "https://evil.test"


@pytest.mark.parametrize("path", ["/track", "/batch"])
@pytest.mark.parametrize("origin", [OWN, FOREIGN])
def test_a_preflight_lets_every_page_ask(api: Api, path: str, origin: str) -> None:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    answer = api.request("OPTIONS", path, headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]


def test_a_page_may_read_every_answer(api: Api) -> None:
    for event, status in ((SEED, 202), ({}, 400)):
        answer = api.track(event, origin=OWN)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
    api.stream.available = False
    answer = api.track(SEED, origin=OWN)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "retry-after" in answer.headers["access-control-expose-headers"]


def test_a_page_of_a_stranger_may_not_send_and_reads_why(api: Api) -> None:
    answer = api.track(SEED, origin=FOREIGN)
    assert answer.status_code == 403
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["error"]["code"] == "origin_not_allowed"
    assert api.events() == []


def test_who_is_no_page_is_not_told_about_origins(api: Api) -> None:
    assert "access-control-allow-origin" not in api.track(SEED).headers
