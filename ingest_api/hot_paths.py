"""The ASGI application: the two paths that every event takes, in front of FastAPI.

A FastAPI route's own machinery costs two thirds of the throughput.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from ingest_api import metrics
from ingest_api.admission import Admission
from ingest_api.answers import Answer, HeaderList, error, refused
from ingest_api.collector import Collector
from ingest_api.errors import NotDurable, RequestRefused
from ingest_api.requests import ClientGone, Headers, Receive, Scope, Send, origin_of

Endpoint = Callable[[Scope, Headers, Receive], Awaitable[Answer]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

_LOG_SECONDS = 1.0

_PREFLIGHT: HeaderList = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"86400"),
]


class HotPaths:
    """Answers POST and the preflight OPTIONS of /track and /batch; everything else goes to `rest`."""

    def __init__(self, collector: Collector, admission: Admission, rest: Application) -> None:
        self._endpoints: Mapping[str, Endpoint] = {"/track": collector.track, "/batch": collector.batch}
        self._admission = admission
        self._rest = rest
        self._logged_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._rest(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        try:
            if scope["method"] == "POST":
                answer = await endpoint(scope, headers, receive)
            else:
                answer = self._without_event(scope["method"], headers)
        except ClientGone:
            return
        except Exception as failure:
            answer = self._answer_to(failure)
        if b"origin" in headers:
            answer.headers.extend(self._cross_origin(headers))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _without_event(self, method: str, headers: Headers) -> Answer:
        if method != "OPTIONS":
            answer = error(405, "method_not_allowed", "Send events with POST.")
            answer.headers.append((b"allow", b"POST, OPTIONS"))
            return answer
        if not self._cross_origin(headers):
            return error(403, "origin_not_allowed", "No site allows this Origin.")
        return Answer(204, b"", list(_PREFLIGHT))

    def _cross_origin(self, headers: Headers) -> HeaderList:
        """Lets a page read the answer where some site allows its Origin."""
        origin = origin_of(headers)
        if origin is None or not self._admission.some_site_allows(origin):
            return []
        return [(b"access-control-allow-origin", headers[b"origin"]), (b"vary", b"origin")]

    def _answer_to(self, failure: Exception) -> Answer:
        if isinstance(failure, RequestRefused):
            metrics.REQUESTS_REFUSED.labels(failure.site or "", failure.code).inc()
            return refused(failure)
        if isinstance(failure, NotDurable):
            metrics.REQUESTS_NOT_DURABLE.inc()
            return refused(failure)
        metrics.REQUESTS_FAILED.inc()
        if time.monotonic() - self._logged_at > _LOG_SECONDS:
            # One of many: a full disk under load would fill with its own complaints.
            self._logged_at = time.monotonic()
            _log.error("A request could not be answered", exc_info=failure)
        return error(500, "internal_error", "The collector failed. Send the request again, with the same event ids.")
