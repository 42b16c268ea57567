"""What FastAPI serves beside the hot paths: health, metrics, the script, and the documentation of it all."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from ingest_api.openapi import describe_hot_paths

TRACKER_FILE = Path(__file__).parent / "tracker" / "logektor.js"

_TRACKER_CACHE = "public, max-age=3600"

_CODES = {404: "not_found", 405: "method_not_allowed"}


def service(ready: Callable[[], bool], exposition: Callable[[], bytes], tracker_path: str = "/logektor.js") -> FastAPI:
    """`ready` says whether an event sent now would probably be accepted; `exposition` is what Prometheus reads."""
    # Its pages at /docs load Swagger UI from this server, not from another host.
    app = FastAPIOffline(
        redoc_url=None,
        title="Logektor collector",
        summary="Takes website events and answers 202 when they are durable.",
        exception_handlers={HTTPException: _http_error},
    )
    _add_health(app, ready)
    _add_tracker(app, tracker_path)

    @app.get(
        "/metrics", summary="Counters for Prometheus", response_class=Response, responses={200: _content("text/plain")}
    )
    def metrics() -> Response:
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)

    generated = app.openapi

    def openapi() -> dict[str, Any]:
        return describe_hot_paths(generated())

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend its document
    return app


def _add_health(app: FastAPI, ready: Callable[[], bool]) -> None:
    @app.get("/health/live", summary="The process runs")
    def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", summary="Events would be accepted, by Kafka or by the disk spool", responses={503: {}})
    def health_ready() -> JSONResponse:
        if ready():
            return JSONResponse({"status": "ready"})
        return _error(503, "not_ready", "Kafka is not reachable, and the disk spool is full, off or broken.")


def _add_tracker(app: FastAPI, path: str) -> None:
    script = TRACKER_FILE.read_bytes()
    compressed = gzip.compress(script)
    # Weak, because it is the same for both encodings.
    etag = f'W/"{hashlib.sha256(script).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": _TRACKER_CACHE,
        "Vary": "Accept-Encoding",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }

    def tracker(if_none_match: str | None = Header(None), accept_encoding: str = Header("")) -> Response:
        if if_none_match is not None and etag in if_none_match:
            return Response(status_code=304, headers=headers)
        body, encoding = (compressed, {"Content-Encoding": "gzip"}) if "gzip" in accept_encoding else (script, {})
        return Response(body, media_type="text/javascript; charset=utf-8", headers={**headers, **encoding})

    for each in dict.fromkeys(("/logektor.js", path)):
        app.get(
            each,
            summary="The script that websites load",
            response_class=Response,
            responses={200: _content("text/javascript"), 304: {"description": "The client has this very script."}},
        )(tracker)


def _content(media_type: str) -> dict[str, Any]:
    """For the document: what an answer is that is not JSON."""
    return {"content": {media_type: {"schema": {"type": "string"}}}}


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - tells the type checker what FastAPI promises
    answer = _error(error.status_code, _CODES.get(error.status_code, "error"), f"{error.detail}.")
    answer.headers.update(error.headers or {})
    return answer


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
