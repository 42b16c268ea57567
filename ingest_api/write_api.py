"""The paths that take events, in front of FastAPI: a FastAPI route's own machinery costs two thirds of the throughput.

They are served by RSGI, granian's own interface, which costs two thirds of what ASGI does.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # made public there, though not by a stub

from ingest_api import metrics
from ingest_api.answers import JSON, Answer, HeaderList, error, refused
from ingest_api.collector import count_refusal
from ingest_api.endpoints import Endpoint
from ingest_api.errors import Refusal
from ingest_api.requests import ClientGone, Exchange, Scope

_log = logging.getLogger(__name__)

_LOG_SECONDS = 1.0

# What a page may send is told by the 403 of the request itself, which a page can read; so everyone may ask, and
# no answer tells more than its own client already knows.
_CROSS_ORIGIN: HeaderList = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "retry-after"),
]
_JSON_CROSS_ORIGIN: HeaderList = [*JSON, *_CROSS_ORIGIN]
_PREFLIGHT: HeaderList = [
    ("access-control-allow-methods", "GET, POST"),
    ("access-control-allow-headers", "authorization, content-type, content-encoding"),
    ("access-control-max-age", "86400"),
]


class WriteApi:
    """Answers the paths of `endpoints`, their preflight OPTIONS too; every other path goes to `rest`."""

    def __init__(
        self, endpoints: Mapping[tuple[str, str], Endpoint], rest: Callable[[Scope, Exchange], Awaitable[None]]
    ) -> None:
        self._endpoints = endpoints
        self._methods: dict[str, list[str]] = {}
        for method, path in endpoints:
            self._methods.setdefault(path, []).append(method)
        self._rest = rest
        self._logged_at = float("-inf")

    async def __call__(self, scope: Scope, exchange: Exchange) -> None:
        endpoint = self._endpoints.get((scope.method, scope.path))
        if endpoint is None:
            if scope.path not in self._methods:
                await self._rest(scope, exchange)
                return
            answer = self._without_event(scope)
        else:
            try:
                answer = await endpoint(scope, exchange)
            except ClientGone:
                return
            except Exception as failure:
                answer = self._answer_to(failure)
        headers = answer.headers
        if scope.headers.get("origin") is not None:
            headers = _JSON_CROSS_ORIGIN if headers is JSON else [*headers, *_CROSS_ORIGIN]
        with suppress(ProtocolClosed):
            exchange.response_bytes(answer.status, headers, answer.body)

    def _without_event(self, scope: Scope) -> Answer:
        if scope.method == "OPTIONS":
            return Answer(204, b"", _PREFLIGHT)
        methods = ", ".join(self._methods[scope.path])
        answer = error(405, "method_not_allowed", f"Send events here with {methods}.")
        answer.headers = [*JSON, ("allow", f"{methods}, OPTIONS")]
        return answer

    def _answer_to(self, failure: Exception) -> Answer:
        if isinstance(failure, Refusal):
            count_refusal(failure)
            return refused(failure)
        metrics.REQUESTS_FAILED.inc()
        if time.monotonic() - self._logged_at > _LOG_SECONDS:
            # One of many: a full disk under load would fill with its own complaints.
            self._logged_at = time.monotonic()
            _log.error("A request could not be answered", exc_info=failure)
        return error(500, "internal_error", "The collector failed. Send the request again, with the same event ids.")
