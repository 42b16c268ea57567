"""The query API: reports, the dashboard that reads them, and health."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from lake.catalogue import Catalogue
from lake.location import Lake
from lake.recent_events import RecentEvents
from query_api.access import TokenGuard, finder
from query_api.compression import Compression
from query_api.errors import answer_errors_in_one_shape
from query_api.grants import Grants
from query_api.live_routes import live_routes
from query_api.pages import DASHBOARD, health_routes, page_routes
from query_api.query_pool import QueryPool
from query_api.raw_export import raw_export_routes
from query_api.realtime import realtime_routes
from query_api.report_reader import ReportReader
from query_api.report_routes import report_routes
from query_api.security_headers import SecurityHeaders
from query_api.settings import QuerySettings
from query_api.stats.reader import StatsReader
from query_api.stats.routes import stats_routes
from sites import LiveSites

_LOOKUPS = 8
"""Threads that look at what a table's version is and at what is known already: milliseconds each, and never behind a
query."""

_WAITING_LOOKUPS = 1_000

_HOLDS_SECONDS = 0.2
"""A look at a table's log takes most of the time of an answer that is known; a refresh makes a version a minute."""


def create_app(settings: QuerySettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> FastAPI:
    """The ASGI app. Raises TokenError and SitesError."""
    grants = Grants(settings.home)
    find = finder(grants, now)
    sites = LiveSites(settings.sites_file)
    lake = Lake(settings.lake)
    catalogue = Catalogue(lake, _HOLDS_SECONDS)
    recent = RecentEvents(lake)
    reader = ReportReader(catalogue)
    stats = StatsReader(catalogue, settings.query_max_rows)
    lookups = QueryPool(_LOOKUPS, _WAITING_LOOKUPS, settings.query_seconds)
    queries = QueryPool(settings.query_threads, settings.query_waiting, settings.query_seconds)
    # Statistics take all cores: two at once are not sooner done than one after the other, and need twice the memory.
    turns = QueryPool(1, settings.query_waiting, settings.query_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for pool in (lookups, queries, turns):
            pool.close()

    # The interactive documentation would load its script from another host.
    app = FastAPI(
        title="Logektor query API",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    answer_errors_in_one_shape(app)
    app.include_router(report_routes(settings, sites, reader, lookups, queries, now))
    app.include_router(stats_routes(settings, sites, stats, lookups, turns, now))
    app.include_router(realtime_routes(recent, sites, queries, now))
    app.include_router(live_routes(lake, recent, sites, queries, now))
    app.include_router(raw_export_routes(lake, sites, queries))
    app.include_router(page_routes(grants, find, now))
    app.include_router(health_routes(lambda: lookups.run(reader.entries)))
    app.mount("/dashboard", StaticFiles(directory=DASHBOARD))
    app.add_middleware(TokenGuard, find=find)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Compression)
    return app
