"""The paths that take events in the OpenAPI document, made from the very structs that read and answer them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ingest_api.answers import BatchAnswer, ErrorAnswer, SeenClient, SegmentAnswer, TrackAnswer, TrialAnswer
from ingest_api.requests import NDJSON_TYPES
from ingest_api.segment import KINDS
from ingest_api.tracked_event import TrackedEvent, UnparsedLine

Part = dict[str, Any]

_STRUCTS = (TrackedEvent, UnparsedLine, TrackAnswer, BatchAnswer, TrialAnswer, SegmentAnswer, SeenClient, ErrorAnswer)

_KEY: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}, {"key": []}, {}]

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The site's write key or server key."},
    "basic": {"type": "http", "scheme": "basic", "description": "The same as user name, without a password."},
    "key": {"type": "apiKey", "in": "query", "name": "key", "description": "The same, where no header can be set."},
}

_REFUSALS = {
    "400": "What can never be accepted: a rule is broken, or the body is not JSON. It is kept, with the reason. Or the "
    "body is not what its Content-Encoding says.",
    "401": "No key, or one that no site has.",
    "403": "The Origin is not allowed, or the event names another site than the key's.",
    "405": "Another method than those that Allow names.",
    "408": "The body did not arrive in time: send the request again.",
    "413": "The body, the event or the batch is too large.",
    "415": "The body is of another type than JSON, or of another encoding than gzip and zstd.",
    "429": "The site sends more events than its rate limit: nothing was taken. Send the request again after "
    "Retry-After seconds.",
    "500": "The collector failed: send the request again, with the same event ids.",
    "503": "Not durable: send the request again after Retry-After seconds, with the same event ids.",
}
_OF_A_BODY = frozenset({"400", "408", "413", "415"})
_LATER = frozenset({"429", "503"})

_RETRY_AFTER = {"Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer"}}}
_ALLOW = {"Allow": {"description": "the methods of the path", "required": True, "schema": {"type": "string"}}}
_REASON = {"Logektor-Error": {"description": "the code of the error", "required": True, "schema": {"type": "string"}}}
_IMAGE = {"image/gif": {"schema": {"type": "string", "format": "binary"}}}

_DRY_RUN = {
    "name": "dry_run",
    "in": "query",
    "description": "1: validate only. The answer is 200 with the events as they would be stored; nothing is.",
    "schema": {"type": "string", "enum": ["1"]},
}
_ENCODING = {
    "name": "Content-Encoding",
    "in": "header",
    "description": "how the body is compressed; the bounds are those of the unpacked body",
    "schema": {"type": "string", "enum": ["gzip", "zstd"]},
}


def describe_hot_paths(document: Part) -> Part:
    """The document with every path that takes events, and with the one error shape in all the others."""
    _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    components = document.setdefault("components", {})
    components["schemas"] = schemas
    components["securitySchemes"] = _SCHEMES
    _describe_errors(document["paths"])
    document["paths"] |= _own_paths() | _client_paths(schemas["TrackedEvent"]["properties"])
    return document


def _own_paths() -> Part:
    event = {"anyOf": [_ref("TrackedEvent"), _ref("UnparsedLine")]}
    events = {"type": "array", "items": event}
    batch = {"type": "object", "required": ["batch"], "properties": {"batch": events}}
    lines = {"schema": {"type": "string", "description": "one event a line"}}
    trial = _json("The events as they would be stored, and what would be rejected.", "TrialAnswer")
    return {
        "/track": {
            "post": _operation(
                "track",
                "Track one event",
                {"200": trial, "202": _json("The event is durable.", "TrackAnswer")},
                body=_json_body(event),
                parameters=[_DRY_RUN],
            )
        },
        "/batch": {
            "post": _operation(
                "batch",
                "Track many events",
                {
                    "200": trial,
                    "202": _json(
                        "The batch was read: what is accepted is durable, what is rejected is kept and listed.",
                        "BatchAnswer",
                    ),
                },
                body=_json_body({"anyOf": [events, batch]}) | dict.fromkeys(sorted(NDJSON_TYPES), lines),
                parameters=[_DRY_RUN],
            )
        },
        "/whoami": {
            "get": {
                "operationId": "whoami",
                "summary": "What the collector sees of the client",
                "security": _KEY,
                "parameters": [_query("site", {"description": "the site's domain, where the key does not tell it"})],
                "responses": {
                    "200": _json("What is seen, and whether events of this client would be taken.", "SeenClient"),
                    **_refusals("401", "405", "500"),
                },
            }
        },
    }


def _client_paths(event_fields: Mapping[str, Part]) -> Part:
    message = _json_body({"type": "object", "description": "a message of Segment's tracking API"})
    messages = _json_body(
        {
            "type": "object",
            "required": ["batch"],
            "properties": {"batch": {"type": "array", "items": {"type": "object"}}},
            "description": "messages of Segment's tracking API",
        }
    )
    taken = _json("What is accepted is durable, what is rejected is kept and listed.", "SegmentAnswer")
    segment = {
        f"/v1/{kind}": {
            "post": _operation(f"segment_{kind}", f"Segment's tracking API: {kind}", {"200": taken}, body=message)
        }
        for kind in KINDS
    }
    payload = _json_body({"type": "object", "description": "a payload of Plausible's script or events API"})
    stored = {"description": "The event is durable.", "content": {"text/plain": {"schema": {"const": "ok"}}}}
    pixel = _operation(
        "pixel",
        "Track one event by the address of an image",
        {"200": {"description": "The event is durable.", "content": _IMAGE}},
        parameters=[
            *(_query(name, {"description": _says(field)}) for name, field in event_fields.items()),
            _query("p.NAME", {"description": "a property; what follows `p.` is its name, and there may be many"}),
        ],
    )
    for status, answer in pixel["responses"].items():
        if status not in ("200", "405", "500"):
            answer["content"] = _IMAGE
            answer["headers"] = answer.get("headers", {}) | _REASON
    return segment | {
        "/v1/batch": {
            "post": _operation("segment_batch", "Segment's tracking API: batch", {"200": taken}, body=messages)
        },
        "/api/event": {"post": _operation("plausible", "Plausible's events API", {"202": stored}, body=payload)},
        "/pixel.gif": {"get": pixel},
    }


def _describe_errors(paths: Part) -> None:
    """FastAPI knows its own error shape only, which is never sent: no parameter of these paths can be wrong."""
    for path in paths.values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= _refusals("405", "500")
            if "503" in operation["responses"]:
                operation["responses"]["503"] = _json("Events would not be accepted now.", "ErrorAnswer")


def _operation(
    name: str, summary: str, answers: Part, *, body: Part | None = None, parameters: list[Part] | None = None
) -> Part:
    statuses = [status for status in _REFUSALS if body is not None or status not in _OF_A_BODY - {"400", "413"}]
    operation = {
        "operationId": name,
        "summary": summary,
        "security": _KEY,
        "parameters": [*(parameters or ()), *([_ENCODING] if body is not None else ())],
        "responses": answers | _refusals(*statuses),
    }
    return operation | {"requestBody": {"required": True, "content": body}} if body is not None else operation


def _refusals(*statuses: str) -> Part:
    described = {status: _json(_REFUSALS[status], "ErrorAnswer") for status in statuses}
    for status, answer in described.items():
        if status in _LATER:
            answer["headers"] = _RETRY_AFTER
        elif status == "405":
            answer["headers"] = _ALLOW
    return described


def _json(words: str, schema: str) -> Part:
    return {"description": words, "content": {"application/json": {"schema": _ref(schema)}}}


def _json_body(schema: Part) -> Part:
    return {"application/json": {"schema": schema}, "text/plain": {"schema": schema}}


def _query(name: str, said: Part) -> Part:
    return {"name": name, "in": "query", "schema": {"type": "string"}} | said


def _says(field: Part) -> str:
    """The description of a field, also where it may be null."""
    found = [field, *field.get("anyOf", ())]
    return next((str(part["description"]) for part in found if "description" in part), "")


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
