"""Who may read: the bearer of the read token, by header or by the dashboard's cookie."""

import hmac
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from query_api.errors import ApiError, error_response

_COOKIE_DAYS = 90


def is_token(presented: str | None, token: str) -> bool:
    """Whether the right token was presented. Compared in constant time."""
    return presented is not None and hmac.compare_digest(presented.encode(), token.encode())


def may_read(connection: HTTPConnection, token: str) -> bool:
    """Whether a request carries the token, in its Authorization header or in its cookie."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_token(bearer.strip(), token):
        return True
    return is_token(connection.cookies.get(_cookie_name(connection)), token)


def swap_token_for_cookie(request: Request, token: str) -> RedirectResponse:
    """Sends the browser to the same address without the token, with a cookie that scripts can't read."""
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    response = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", status_code=303)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        _cookie_name(request),
        token,
        max_age=_COOKIE_DAYS * 86_400,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def _cookie_name(connection: HTTPConnection) -> str:
    # Cookies of a host are shared by its ports: two stacks on one machine must not sign each other out.
    port = connection.headers.get("host", "").rpartition(":")[2]
    return f"logektor_read_{port if port.isascii() and port.isdigit() else 'default'}"


class TokenGuard:
    """Lets only bearers of the token into /api/, whether the address behind it exists or not."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/") and not self._lets_in(scope):
            await error_response(_NEEDS_TOKEN)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _lets_in(self, scope: Scope) -> bool:
        return may_read(HTTPConnection(scope), self._token)


_NEEDS_TOKEN = ApiError(
    401,
    "unauthorized",
    "Send the read token as 'Authorization: Bearer …'; `logektor status` shows it.",
    headers={"WWW-Authenticate": 'Bearer realm="logektor"'},
)
