"""POST /api/v2/query: questions in the shape of Plausible's Stats API v2."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from query_api.access import grant_of
from query_api.conditional import has_already, not_modified
from query_api.errors import ApiError
from query_api.query_pool import QueryPool
from query_api.report_parameters import asked_site
from query_api.report_reader import Unchanged, Unread
from query_api.settings import QuerySettings
from query_api.stats.document import fault, parse
from query_api.stats.json_schema import json_schema
from query_api.stats.reader import StatsReader
from sites import LiveSites, Site

MOST_BYTES = 64 * 1024
"""Of a question: a thousand values of a filter, and more."""


def stats_routes(
    settings: QuerySettings,
    sites: LiveSites,
    reader: StatsReader,
    lookups: QueryPool,
    turns: QueryPool,
    now: Callable[[], datetime],
) -> APIRouter:
    """The routes under /api/v2. What is known is answered by `lookups`, the rest waits for one of the `turns`."""
    routes = APIRouter(prefix="/api/v2")

    @routes.post("/query")
    async def query(request: Request) -> Response:
        """The statistics that a JSON document asks for; /api/v2/query/schema.json says what it may be."""
        asked = parse(await _document(request), settings.query_max_rows)
        site = _site(request, asked.site, sites)
        answer = await lookups.run(lambda: reader.find(asked, site, now(), lambda etag: has_already(request, etag)))
        if isinstance(answer, Unread):
            answer = await turns.run(answer.compute)
        headers = {"ETag": answer.etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
        if isinstance(answer, Unchanged):
            return not_modified(headers)
        return Response(answer.body, headers=headers, media_type="application/json")

    @routes.api_route("/query/schema.json", methods=["GET", "HEAD"])
    async def schema() -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of a question."""
        return json_schema(settings.query_max_rows)

    return routes


async def _document(request: Request) -> Any:
    """The body's JSON, whatever its Content-Type says. Raises ApiError."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise ApiError(413, "too_large", f"A query has at most {MOST_BYTES:,} bytes.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise fault("", f"no JSON in UTF-8: {error}") from None


def _site(request: Request, domain: str, sites: LiveSites) -> Site:
    try:
        return asked_site(domain, sites, grant_of(request))
    except ApiError as error:
        raise ApiError(error.status, error.code, error.message.replace("site:", "site_id:", 1), "site_id") from None
