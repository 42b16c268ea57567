"""GET /api/sites, /api/reports and /api/reports/{name}."""

import html
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from lake.catalogue import CatalogueEntry
from query_api.access import grant_of
from query_api.conditional import has_already, not_modified, whole_or_piece
from query_api.errors import ApiError
from query_api.formats import MEDIA_TYPES, Format, wanted_format
from query_api.query_pool import QueryPool
from query_api.report_parameters import ReportParameters, asked_site, question, refuse_repeated_parameters, today
from query_api.report_query import ReportQuery, columns_document
from query_api.report_reader import ReportReader, Unchanged, Unread
from query_api.settings import QuerySettings
from sites import LiveSites, Site

_REPORT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def report_routes(
    settings: QuerySettings,
    sites: LiveSites,
    reader: ReportReader,
    lookups: QueryPool,
    queries: QueryPool,
    now: Callable[[], datetime],
) -> APIRouter:
    """The routes under /api. What is known is answered by `lookups`, rows are read by `queries`."""
    routes = APIRouter(prefix="/api")

    @routes.api_route("/sites", methods=["GET", "HEAD"])
    async def list_sites(request: Request) -> dict[str, Any]:
        """The sites that the token opens: domain, time zone, and the snippet for their pages."""
        seen = [site for site in sites.refresh() if grant_of(request).sees(site.domain)]
        return {"sites": [_site_document(site, settings, now()) for site in seen]}

    @routes.api_route("/reports", methods=["GET", "HEAD"])
    async def list_reports() -> dict[str, Any]:
        """The reports: description, key, columns with meaning and unit, and when each was last refreshed."""
        return {"reports": [_report_document(entry) for entry in await lookups.run(reader.entries)]}

    @routes.api_route("/reports/{name}", methods=["GET", "HEAD"], dependencies=[Depends(refuse_repeated_parameters)])
    async def read_report(request: Request, name: str, parameters: Annotated[ReportParameters, Query()]) -> Response:
        """Rows of a report, as JSON, CSV or Parquet: by format=, by a suffix as in {name}.csv, or by Accept."""
        name, form = wanted_format(name, parameters.format, request.headers.get("accept", ""))
        if not _REPORT_NAME.fullmatch(name):
            raise ApiError(404, "no_such_report", "There is no report of this name; GET /api/reports lists them.")
        site = asked_site(parameters.site, sites, grant_of(request))
        query = question(parameters, form, site, settings, now())
        page = await lookups.run(lambda: reader.find(name, form, query, lambda etag: has_already(request, etag)))
        if isinstance(page, Unread):
            page = await queries.run(page.compute)
        headers = {"ETag": page.etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}
        if isinstance(page, Unchanged):
            return not_modified(headers)
        if page.following is not None:
            if form != "json" and parameters.limit is None:
                message = f"limit: there are more than {query.limit} rows; ask for fewer days, or for pages with limit."
                raise ApiError(400, "too_many_rows", message, "limit")
            following = request.url.include_query_params(next=page.following)
            headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        if form != "json":
            headers["Content-Disposition"] = f'attachment; filename="{_file_name(name, query, form)}"'
        return whole_or_piece(request, page.body, page.etag, MEDIA_TYPES[form], headers)

    return routes


def _site_document(site: Site, settings: QuerySettings, now: datetime) -> dict[str, Any]:
    script = f"{str(settings.collector_url).rstrip('/')}/logektor.js"
    return {
        "domain": site.domain,
        "time_zone": site.time_zone,
        "today": today(site, now).isoformat(),
        "snippet": f'<script defer data-site="{html.escape(site.domain)}" src="{html.escape(script)}"></script>',
    }


def _report_document(entry: CatalogueEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "description": entry.description,
        "key": list(entry.key),
        "columns": columns_document(entry.columns),
        "version": entry.version,
        "refreshed_at": entry.refreshed_at.isoformat(),
    }


def _file_name(name: str, query: ReportQuery, form: Format) -> str:
    site = re.sub(r"[^A-Za-z0-9.-]", "_", query.site)
    return f"{name}_{site}_{query.first}_{query.last}.{form}"
