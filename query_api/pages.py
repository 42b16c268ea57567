"""The dashboard's page and files, and /health."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from query_api.access import FindGrant, swap_token_for_cookie
from query_api.grants import Grants

DASHBOARD = Path(__file__).parent / "dashboard"


def page_routes(grants: Grants, find: FindGrant, now: Callable[[], datetime]) -> APIRouter:
    """The page at /: a link with the right token lets the browser in, another one says how to get in."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def dashboard(request: Request) -> Response:
        if "token" in request.query_params:
            token = request.query_params["token"]
            if grant := grants.find(token, now()):
                return swap_token_for_cookie(request, token, grant)
        if "token" in request.query_params or find(request) is None:
            return FileResponse(DASHBOARD / "no_access.html", status_code=401, headers={"Cache-Control": "no-store"})
        return FileResponse(DASHBOARD / "index.html", headers={"Cache-Control": "no-cache"})

    return routes


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
