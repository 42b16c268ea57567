"""The dashboard's pages and files, and /health."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from query_api.access import FindGrant, swap_token_for_cookie
from query_api.grants import Grant, Grants

DASHBOARD = Path(__file__).parent / "dashboard"


def page_routes(grants: Grants, find: FindGrant, now: Callable[[], datetime]) -> APIRouter:
    """The page at /: a link with the right token lets the browser in, another one says how to get in.

    /live and /rejected show single events, which a share link does not open.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def dashboard(request: Request) -> Response:
        if "token" in request.query_params:
            token = request.query_params["token"]
            if grant := grants.find(token, now()):
                return swap_token_for_cookie(request, token, grant)
            return _no_access(401)
        grant = find(request)
        return _no_access(401) if grant is None else _page("index.html", grant)

    @routes.api_route("/live", methods=["GET", "HEAD"])
    async def live(request: Request) -> Response:
        return _page_of_events("live.html", find(request))

    @routes.api_route("/rejected", methods=["GET", "HEAD"])
    async def rejected(request: Request) -> Response:
        return _page_of_events("rejected.html", find(request))

    return routes


def _page(name: str, grant: Grant) -> Response:
    """A page that knows what its token opens, so that it offers nothing that would be refused."""
    page = (DASHBOARD / name).read_text(encoding="utf-8").replace('data-role=""', f'data-role="{grant.role}"')
    return HTMLResponse(page, headers={"Cache-Control": "private, no-cache"})


def _page_of_events(name: str, grant: Grant | None) -> Response:
    if grant is None:
        return _no_access(401)
    return _page(name, grant) if grant.includes("read") else _no_access(403)


def _no_access(status: int) -> Response:
    return FileResponse(DASHBOARD / "no_access.html", status_code=status, headers={"Cache-Control": "no-store"})


def health_routes(lake_answers: Callable[[], Awaitable[object]]) -> APIRouter:
    """Whether the process lives, and whether it can answer: `lake_answers` raises where it can't."""
    routes = APIRouter(prefix="/health", include_in_schema=False)

    @routes.get("/live")
    async def live() -> Response:
        return JSONResponse({"status": "live"})

    @routes.get("/ready")
    async def ready() -> Response:
        await lake_answers()
        return JSONResponse({"status": "ready"})

    return routes
