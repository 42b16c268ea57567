"""The ASGI application: the two paths that every event takes, in front of FastAPI.

A FastAPI route's own machinery costs two thirds of the throughput.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from ingest_api import metrics
from ingest_api.answers import Answer, HeaderList, error, refused, send_answer
from ingest_api.collector import Collector
from ingest_api.errors import NotDurable, RequestRefused
from ingest_api.requests import ClientGone, Headers, Receive, Scope, Send
from sites import LiveSites

Endpoint = Callable[[Scope, Headers, Receive], Awaitable[Answer]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

_PREFLIGHT: HeaderList = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"86400"),
]


class HotPaths:
    """Answers POST and the preflight OPTIONS of /track and /batch; everything else goes to `rest`."""

    def __init__(self, collector: Collector, sites: LiveSites, rest: Application) -> None:
        self._endpoints: Mapping[str, Endpoint] = {"/track": collector.track, "/batch": collector.batch}
        self._sites = sites
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._rest(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        try:
            answer = await self._answer(endpoint, scope, headers, receive)
        except ClientGone:
            return
        answer.headers.extend(self._cross_origin(headers))
        await send_answer(answer, send)

    async def _answer(self, endpoint: Endpoint, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        method = scope["method"]
        if method == "OPTIONS":
            return self._preflight(headers)
        if method != "POST":
            answer = error(405, "method_not_allowed", "Send events with POST.")
            answer.headers.append((b"allow", b"POST, OPTIONS"))
            return answer
        try:
            return await endpoint(scope, headers, receive)
        except RequestRefused as refusal:
            metrics.REQUESTS_REFUSED.labels(refusal.site or "", refusal.code).inc()
            return refused(refusal)
        except NotDurable as refusal:
            metrics.REQUESTS_NOT_DURABLE.inc()
            return refused(refusal)
        except ClientGone:
            raise
        except Exception:
            metrics.REQUESTS_FAILED.inc()
            _log.exception("A request could not be answered")
            return error(
                500, "internal_error", "The collector failed. Send the request again, with the same event ids."
            )

    def _preflight(self, headers: Headers) -> Answer:
        if not self._cross_origin(headers):
            return error(403, "origin_not_allowed", "No site allows this Origin.")
        return Answer(204, b"", list(_PREFLIGHT))

    def _cross_origin(self, headers: Headers) -> HeaderList:
        """Lets a page read the answer where some site allows its Origin; what it may write is another question."""
        origin = headers.get(b"origin")
        if origin is None:
            return []
        text = origin.decode("latin-1")
        if self._sites.find(lambda known: known.by_origin(text)) is None:
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
