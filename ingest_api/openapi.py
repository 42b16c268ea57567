"""The hot paths in the OpenAPI document, made from the very structs that read and answer them."""

from typing import Any

import msgspec

from ingest_api.answers import BatchAnswer, ErrorAnswer, TrackAnswer
from ingest_api.tracked_event import TrackedEvent, UnparsedLine

_KEY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}, {}]

_REFUSALS = {
    "400": "What can never be accepted: a rule is broken, or the body is not JSON. It is kept, with the reason.",
    "401": "No key, or one that no site has.",
    "403": "The Origin is not allowed, or the event names another site than the key's.",
    "413": "The body, the event or the batch is too large.",
    "415": "The body is of another type than JSON, or compressed.",
    "503": "Not durable: send the request again after Retry-After seconds, with the same event ids.",
}


def describe_hot_paths(document: dict[str, Any]) -> dict[str, Any]:
    """The document with /track and /batch."""
    _, schemas = msgspec.json.schema_components(
        [TrackedEvent, UnparsedLine, TrackAnswer, BatchAnswer, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The site's write key or server key."},
        "key": {"type": "apiKey", "in": "query", "name": "key", "description": "The same, where no header can be set."},
    }
    event = {"anyOf": [_ref("TrackedEvent"), _ref("UnparsedLine")]}
    events = {"type": "array", "items": event}
    batch = {"type": "object", "required": ["batch"], "properties": {"batch": events}}
    one_of = {"anyOf": [events, batch]}
    document["paths"] |= {
        "/track": {
            "post": _operation("track", "Track one event", "The event is durable.", "TrackAnswer", _json(event))
        },
        "/batch": {
            "post": _operation(
                "batch",
                "Track many events",
                "The batch was read: what is accepted is durable, what is rejected is kept and listed.",
                "BatchAnswer",
                _json(one_of) | {"application/x-ndjson": {"schema": {"type": "string", "description": "one a line"}}},
            )
        },
    }
    return document


def _operation(name: str, summary: str, meaning: str, answer: str, body: dict[str, Any]) -> dict[str, Any]:
    refusals = {status: _answer(words, "ErrorAnswer") for status, words in _REFUSALS.items()}
    refusals["503"]["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return {
        "operationId": name,
        "summary": summary,
        "security": _KEY,
        "requestBody": {"required": True, "content": body},
        "responses": {"202": _answer(meaning, answer)} | refusals,
    }


def _answer(words: str, schema: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": _ref(schema)}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}, "text/plain": {"schema": schema}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
