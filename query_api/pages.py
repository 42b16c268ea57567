"""The dashboard's page and files, and /health."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from query_api.access import is_token, may_read, swap_token_for_cookie

DASHBOARD = Path(__file__).parent / "dashboard"


def page_routes(token: str) -> APIRouter:
    """The page at /: a link with the right token lets the browser in, another one says how to get in."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def dashboard(request: Request) -> Response:
        if is_token(request.query_params.get("token"), token):
            return swap_token_for_cookie(request, token)
        if "token" in request.query_params or not may_read(request, token):
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
