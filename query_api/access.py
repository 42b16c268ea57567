"""Who may read what: the bearer of a token, by header or by the dashboard's cookie."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from query_api.errors import ApiError, error_response
from query_api.grants import Grant, Grants, Role

_COOKIE_DAYS = 90

FindGrant = Callable[[HTTPConnection], Grant | None]


def finder(grants: Grants, now: Callable[[], datetime]) -> FindGrant:
    """Finds what a request may read: by the token of its Authorization header, else by its cookies."""

    def find(connection: HTTPConnection) -> Grant | None:
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        presented = [bearer.strip()] if scheme.lower() == "bearer" else []
        # Who opens the link of a share stays who they were before: the own cookie comes first.
        presented += [connection.cookies.get(_cookie_name(connection, kind), "") for kind in ("read", "share")]
        found = (grants.find(token, now()) for token in presented if token)
        return next((grant for grant in found if grant is not None), None)

    return find


def swap_token_for_cookie(request: Request, token: str, grant: Grant) -> RedirectResponse:
    """Sends the browser to the dashboard's address without the token, with a cookie that scripts can't read."""
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    response = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", status_code=303)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        _cookie_name(request, "share" if grant.role == "share" else "read"),
        token,
        max_age=_COOKIE_DAYS * 86_400,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def _cookie_name(connection: HTTPConnection, kind: str) -> str:
    # Cookies of a host are shared by its ports: two stacks on one machine must not sign each other out.
    port = connection.headers.get("host", "").rpartition(":")[2]
    return f"logektor_{kind}_{port if port.isascii() and port.isdigit() else 'default'}"


def grant_of(request: Request) -> Grant:
    """What the request may read, as the guard has found it."""
    grant: Grant = request.scope["grant"]
    return grant


def require(request: Request, role: Role) -> None:
    """Raises ApiError (403) where the request's token does not open what this role opens."""
    if not grant_of(request).includes(role):
        raise ApiError(403, "forbidden", f"This token does not open that: it needs the role {role}.")


class TokenGuard:
    """Lets only bearers of a token into /api/, whether the address behind it exists or not."""

    def __init__(self, app: ASGIApp, find: FindGrant) -> None:
        self._app = app
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
        elif grant := self._find(HTTPConnection(scope)):
            await self._app({**scope, "grant": grant}, receive, send)
        else:
            await error_response(_NEEDS_TOKEN)(scope, receive, send)


_NEEDS_TOKEN = ApiError(
    401,
    "unauthorized",
    "Send a token as 'Authorization: Bearer …'; `logektor status` shows the home's, `logektor tokens` makes others.",
    headers={"WWW-Authenticate": 'Bearer realm="logektor"'},
)
