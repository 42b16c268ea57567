"""Pages of a site may send and read answers, pages of others may not."""

import pytest

from tests.ingest_api.conftest import SEED, Api

OWN, FOREIGN = "https://www.example.com", "https://evil.test"


@pytest.mark.parametrize("path", ["/track", "/batch"])
def test_a_preflight_is_answered_for_an_allowed_origin(api: Api, path: str) -> None:
    headers = {
        "origin": OWN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    answer = api.request("OPTIONS", path, headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OWN
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "origin" in answer.headers["vary"]


@pytest.mark.parametrize("headers", [{"origin": FOREIGN}, {"origin": "null"}, {}])
def test_a_preflight_of_a_stranger_is_refused(api: Api, headers: dict[str, str]) -> None:
    answer = api.request("OPTIONS", "/track", headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_the_site_may_read_every_answer(api: Api) -> None:
    for event, status in ((SEED, 202), ({}, 400)):
        answer = api.track(event, origin=OWN)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == OWN
    api.stream.available = False
    assert api.track(SEED, origin=OWN).headers["access-control-allow-origin"] == OWN


def test_a_page_of_a_stranger_may_neither_send_nor_read(api: Api) -> None:
    answer = api.track(SEED, origin=FOREIGN)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert api.events() == []
