"""What is served beside the hot paths, and that its documentation is true."""

from typing import Any

import msgspec
import pytest

from ingest_api.service import TRACKER_FILE
from ingest_api.tracked_event import TrackedEvent
from tests.ingest_api.conftest import SEED, Api


def test_the_process_is_live_though_kafka_is_away(api: Api) -> None:
    assert api.request("GET", "/health/ready").status_code == 200
    api.stream.available = False
    assert api.request("GET", "/health/live").status_code == 200
    answer = api.request("GET", "/health/ready")
    assert answer.status_code == 503
    assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/track", 405, "method_not_allowed"),
        ("PUT", "/batch", 405, "method_not_allowed"),
        ("POST", "/metrics", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_one_shape(api: Api, method: str, path: str, status: int, code: str) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert (status == 405) == ("allow" in answer.headers)


def test_the_script_is_served_and_cached(api: Api) -> None:
    answer = api.request("GET", "/logektor.js")
    assert answer.content == TRACKER_FILE.read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "max-age" in answer.headers["cache-control"]
    again = api.request("GET", "/logektor.js", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api.request("GET", "/logektor.js", headers={"if-none-match": '"other"'}).status_code == 200


def test_what_happens_is_counted(api: Api) -> None:
    before = counters(api)
    api.track(SEED)
    api.track({"action": ""})
    api.track(SEED, origin="https://evil.test")
    api.track(SEED, authorization="Bearer pk_example", origin="https://evil.test")
    api.stream.available = False
    api.track(SEED)
    after = counters(api)
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
        'logektor_events_accepted_total{site="localhost"}': 1,
        'logektor_events_rejected_total{reason="invalid",site="localhost"}': 1,
        'logektor_requests_refused_total{reason="origin_not_allowed",site=""}': 1,
        'logektor_requests_refused_total{reason="origin_not_allowed",site="example.com"}': 1,
        "logektor_requests_not_durable_total": 1,
    }


def counters(api: Api) -> dict[str, float]:
    lines = api.request("GET", "/metrics").text.splitlines()
    named = (line.rsplit(" ", 1) for line in lines if line.startswith("logektor_") and "_created" not in line)
    return {name: float(value) for name, value in named}


def test_the_docs_page_is_there(api: Api) -> None:
    assert api.request("GET", "/docs").status_code == 200


DOCUMENTED = {"200", "202", "400", "401", "403", "405", "408", "413", "415", "429", "500", "503"}


def test_the_openapi_document_describes_the_hot_paths(api: Api) -> None:
    document = api.request("GET", "/openapi.json").json()
    schema = document["components"]["schemas"]["TrackedEvent"]
    assert set(schema["properties"]) == set(TrackedEvent.__struct_encode_fields__)
    assert schema["required"] == ["action"]
    assert all(described(field) for field in schema["properties"].values())
    for path in ("/track", "/batch"):
        operation = document["paths"][path]["post"]
        assert set(operation["responses"]) == DOCUMENTED


def described(schema: dict[str, Any]) -> bool:
    return "description" in schema or any(described(option) for option in schema.get("anyOf", []))


def test_every_reference_of_the_openapi_document_leads_somewhere(api: Api) -> None:
    document = api.request("GET", "/openapi.json").json()
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in references(value)]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


def test_answers_are_what_the_openapi_document_says(api: Api) -> None:
    schemas = api.request("GET", "/openapi.json").json()["components"]["schemas"]
    assert set(api.track(SEED).json()) == set(schemas["TrackAnswer"]["required"])
    assert set(api.batch([{}]).json()) == set(schemas["BatchAnswer"]["required"])
    assert set(api.track({}).json()) == set(schemas["ErrorAnswer"]["required"])
    assert msgspec.json.decode(api.request("GET", "/openapi.json").content)["info"]["title"] == "Logektor collector"
