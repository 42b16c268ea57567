"""What a request can get wrong, and the one JSON shape that every error has."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from lake.errors import LakeError

_log = logging.getLogger(__name__)


class ApiError(Exception):
    """An answer that is an error. `field` names the request's parameter that is wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers


def wrong_parameter(field: str, message: str) -> ApiError:
    """A 400 about one parameter."""
    return ApiError(400, "invalid_parameter", message, field)


def error_response(error: ApiError) -> JSONResponse:
    """{"error": {"code", "message", "field"?}}"""
    said = {"code": error.code, "message": error.message}
    if error.field is not None:
        said["field"] = error.field
    headers = {"Cache-Control": "no-store", **(error.headers or {})}
    return JSONResponse({"error": said}, status_code=error.status, headers=headers)


def answer_errors_in_one_shape(app: FastAPI) -> None:
    """Installs the shape for our own errors, wrong parameters, unknown addresses, the lake's troubles and bugs."""

    @app.exception_handler(ApiError)
    async def ours(_: Request, error: ApiError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def wrong_request(_: Request, error: RequestValidationError) -> Response:
        return error_response(_first_wrong_parameter(error))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).name.lower()
        messages = {404: "There is nothing at this address.", 405: "This address does not take this method."}
        message = messages.get(error.status_code, str(error.detail))
        return error_response(ApiError(error.status_code, code, message, headers=error.headers))

    @app.exception_handler(LakeError)
    async def lake(_: Request, error: LakeError) -> Response:
        _log.error("the lake can't be read: %s", error)
        message = "The tables can't be read now; the log of the query API says why. Try again."
        return error_response(ApiError(503, "lake_away", message, headers={"Retry-After": "5"}))

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:
        message = "The query API has failed; its log says why."
        return error_response(ApiError(500, "internal_error", message))


def _first_wrong_parameter(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    field = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        return ApiError(400, "unknown_parameter", f"There is no parameter {field[:100]!r} here.", field[:100])
    return wrong_parameter(field, f"{field}: {first['msg']}.")
