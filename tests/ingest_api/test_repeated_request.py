"""A request that comes again, as a balancer sends it after a lost answer, brings the same events again."""

import pytest

from tests.ingest_api.conftest import SEED, Api

KEYED = {"idempotency-key": "4711"}


def test_an_event_without_an_id_gets_the_same_one_however_often_its_request_comes(api: Api) -> None:
    first, again, other = (
        api.request("POST", "/track", json=SEED, headers={"idempotency-key": key}).json()["eventId"]
        for key in ("4711", "4711", "4712")
    )
    assert first == again != other


def test_the_events_of_a_batch_get_an_id_each(api: Api) -> None:
    batch = [SEED, {**SEED, "eventId": "own"}, SEED]
    for _ in range(2):
        assert api.request("POST", "/batch", json=batch, headers=KEYED).status_code == 202
    ids = [event.event_id for event in api.events()]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
    assert ids[1] == "own"


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": ""}])
def test_events_of_requests_that_say_nothing_are_each_their_own(api: Api, headers: dict[str, str]) -> None:
    first, second = (api.request("POST", "/track", json=SEED, headers=headers).json()["eventId"] for _ in range(2))
    assert first != second
